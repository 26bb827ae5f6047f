import { useState } from 'react'
import { Confirm } from './actions.tsx'
import { post, remove, type Schema } from './api/client.ts'
import { changed, useRead } from './data.ts'
import { t } from './i18n/index.ts'
import { A } from './nav.tsx'
import { parseSearch, type Search, stringifySearch } from './url.ts'
import { useMay } from './session.ts'
import { Icon } from './ui/icon.tsx'
import { Field, toast, toastFailure } from './ui/parts.tsx'

type View = Schema<'View'>

/** What of the page's query belongs to a view: filters and columns, not where somebody stands in it. */
function viewQuery(search: Search): string {
  const { mode: _mode, merchant: _merchant, cursor: _cursor, before: _before, create: _create, tail: _tail, ...rest } = search
  return stringifySearch(rest).slice(1)
}

/** The team's saved lists, and one's own. */
export function Views({ page, path, search, saving, onSaving }: { page: string; path: string; search: Search; saving: boolean; onSaving: (on: boolean) => void }) {
  const may = useMay()
  const q = useRead('/v1/views', [], { page }, { keep: true })
  const views = (q.data?.data ?? []) as View[]
  const now = viewQuery(search)
  if (views.length === 0 && !saving && !now) return null
  return (
    <div className="views row wrap" role="group" aria-label={t('views')}>
      {views.map((v) => (
        <span key={v.id} className={'view' + (v.query === now ? ' on' : '')}>
          <A href={path} search={parseSearch(v.query)} aria-current={v.query === now ? 'true' : undefined} title={v.saved_by ?? undefined}>
            {v.name}
          </A>
          {(v.mine || may('team.write')) && v.query === now && (
            <button
              type="button"
              className="quiet square small"
              aria-label={t('views.delete', { name: v.name })}
              onClick={() =>
                void remove('/v1/views/{id}', [v.id]).then(
                  () => changed('/v1/views'),
                  toastFailure,
                )
              }
            >
              <Icon name="cross" size={12} />
            </button>
          )}
        </span>
      ))}
      {may('views.write') && now && !views.some((v) => v.query === now) && (
        <button type="button" className="quiet small" onClick={() => onSaving(true)}>
          <Icon name="save" size={13} /> {t('views.save')} <kbd>s</kbd>
        </button>
      )}
      {saving && <SaveView page={page} query={now} onClose={() => onSaving(false)} />}
    </div>
  )
}

function SaveView({ page, query, onClose }: { page: string; query: string; onClose: () => void }) {
  const [name, setName] = useState('')
  const [shared, setShared] = useState(true)
  return (
    <Confirm
      title={t('views.save')}
      label={t('save')}
      onClose={onClose}
      run={async () => {
        await post('/v1/views', [], { name, page, query, shared })
        changed('/v1/views')
        toast(t('done.saved'))
      }}
    >
      <Field label={t('field.name')}>{(id) => <input id={id} required maxLength={80} value={name} autoComplete="off" onChange={(e) => setName(e.target.value)} />}</Field>
      <label className="check">
        <input type="checkbox" checked={shared} onChange={(e) => setShared(e.target.checked)} /> {t('views.shared')}
      </label>
    </Confirm>
  )
}
