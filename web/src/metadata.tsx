import { useState } from 'react'
import { type Path, Problem, put } from './api/client.ts'
import { changed } from './data.ts'
import { t } from './i18n/index.ts'
import { Icon } from './ui/icon.tsx'
import { Card, Facts, Failure, toast } from './ui/parts.tsx'

type Described = { id: string; version?: number; metadata?: unknown }

/** What the caller keeps beside an object, changed where it stands. */
export function Metadata({ object, path, editable }: { object: Described; path: Path; editable: boolean }) {
  const [editing, setEditing] = useState(false)
  const pairs = Object.entries((object.metadata as Record<string, string> | undefined) ?? {})
  return (
    <Card
      title={t('col.metadata')}
      actions={
        editable &&
        !editing && (
          <button type="button" className="small" onClick={() => setEditing(true)}>
            {t('edit')}
          </button>
        )
      }
    >
      {editing ? <Editor object={object} pairs={pairs} path={path} onClose={() => setEditing(false)} /> : pairs.length ? <Facts items={pairs} /> : <p className="muted">{t('none')}</p>}
    </Card>
  )
}

function Editor({ object, pairs, path, onClose }: { object: Described; pairs: [string, string][]; path: Path; onClose: () => void }) {
  const [rows, setRows] = useState(() => [...pairs, ['', '']] as [string, string][])
  // What was read when the editing began: a change that came meanwhile is not overwritten unseen.
  const [version, setVersion] = useState(object.version)
  const [key] = useState(() => crypto.randomUUID())
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const names = rows.map(([k]) => k.trim())
  const twice = names.find((k, i) => k !== '' && names.indexOf(k) !== i)
  const nameless = rows.some(([k, v]) => k.trim() === '' && v !== '')
  const set = (at: number, part: 0 | 1, value: string) => setRows((list) => list.map((row, i) => (i !== at ? row : part ? [row[0], value] : [value, row[1]])))
  const submit = async () => {
    if (busy || twice !== undefined || nameless) return
    setBusy(true)
    setError(undefined)
    try {
      const metadata = Object.fromEntries(rows.map(([k, v]) => [k.trim(), v] as const).filter(([k]) => k !== ''))
      await put(path, [object.id], { metadata }, `${key}-${version}`, version === undefined ? undefined : `"${version}"`)
      changed(path.slice(0, path.indexOf('/{')))
      toast(t('done.saved'))
      onClose()
    } catch (err) {
      setError(err)
      setBusy(false)
      if (err instanceof Problem && err.status === 412) changed(path.slice(0, path.indexOf('/{')))
    }
  }
  const stale = error instanceof Problem && error.status === 412
  return (
    <form
      className="pairs"
      onSubmit={(e) => {
        e.preventDefault()
        void submit()
      }}
      onKeyDown={(e) => {
        if (e.key !== 'Escape') return
        e.stopPropagation()
        e.nativeEvent.stopImmediatePropagation()
        onClose()
      }}
    >
      {rows.map(([k, v], i) => (
        <div key={i} className="pair">
          <input aria-label={t('metadata.key')} placeholder={t('metadata.key')} value={k} maxLength={40} autoComplete="off" spellCheck={false} autoFocus={i === 0} onChange={(e) => set(i, 0, e.target.value)} />
          <input aria-label={t('metadata.value')} placeholder={t('metadata.value')} value={v} maxLength={500} autoComplete="off" onChange={(e) => set(i, 1, e.target.value)} />
          <button type="button" className="quiet square small" aria-label={t('metadata.remove', { key: k })} title={t('remove')} onClick={() => setRows((list) => list.filter((_, n) => n !== i))}>
            <Icon name="cross" size={13} />
          </button>
        </div>
      ))}
      {(twice !== undefined || nameless) && (
        <p className="field-error" role="alert">
          {twice !== undefined ? t('metadata.twice', { key: twice }) : t('metadata.nameless')}
        </p>
      )}
      {error !== undefined && <Failure error={error} />}
      <div className="row wrap">
        <button type="button" className="quiet small" disabled={rows.length >= 50} onClick={() => setRows((list) => [...list, ['', '']])}>
          <Icon name="plus" size={13} /> {t('metadata.add')}
        </button>
        <span className="grow" />
        <button type="button" className="small" onClick={onClose}>
          {t('not_now')}
        </button>
        {/* Keys: one button that turned into the other while it is pressed would submit. */}
        {stale ? (
          <button
            key="again"
            type="button"
            className="small primary"
            onClick={() => {
              setRows([...pairs, ['', '']])
              setVersion(object.version)
              setError(undefined)
            }}
          >
            {t('metadata.read_again')}
          </button>
        ) : (
          <button key="save" type="submit" className="small primary" disabled={busy || twice !== undefined || nameless}>
            {busy ? t('working') : t('save')}
          </button>
        )}
      </div>
    </form>
  )
}
