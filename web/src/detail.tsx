import { type ReactNode, useState } from 'react'
import { asCurl } from './api/client.ts'
import { type Action, ActionDialog } from './actions.tsx'
import { usePageRequest } from './data.ts'
import { t } from './i18n/index.ts'
import { useKeys } from './keys.ts'
import { A, useGo } from './nav.tsx'
import { useMay } from './session.ts'
import { Dialog } from './ui/dialog.tsx'
import { Item, Menu } from './ui/menu.tsx'
import { copy, ID, JSONView } from './ui/parts.tsx'

/** The frame of every page about one object: where it stands, what it is, what can be done with it. */
export function Detail<T extends { id: string }>({ object, path, back, backName, title, actions = [], aside, children, command }: { object: T; path: string; back: string; backName: string; title: ReactNode; actions?: Action<T>[]; aside?: ReactNode; children: ReactNode; command?: string }) {
  const may = useMay()
  const go = useGo()
  const [doing, setDoing] = useState<Action<T>>()
  const [json, setJSON] = useState(false)
  const allowed = actions.filter((a) => may(a.may) && a.when(object))
  usePageRequest({ method: 'GET', path, data: object, command: command ?? `giro get ${object.id}` })
  useKeys({
    y: () => void copy(object.id),
    '.': () => setJSON(true),
    c: () => void copy(asCurl('GET', path)),
    Escape: () => go(back),
    ...Object.fromEntries(allowed.filter((a) => a.key).map((a) => [a.key!, () => setDoing(a)])),
  })
  const first = allowed.filter((a) => !a.danger).slice(0, 2)
  const rest = allowed.filter((a) => !first.includes(a))
  return (
    <article className="detail">
      <nav className="crumbs" aria-label={t('breadcrumb')}>
        <A href={back}>{backName}</A>
        <span aria-hidden="true">›</span>
        <ID value={object.id} long link={false} />
      </nav>
      <div className="page-head">
        <h1>{title}</h1>
        <div className="row">
          {first.map((a, i) => (
            <button key={a.id} type="button" className={i === 0 ? 'primary' : ''} onClick={() => setDoing(a)} title={a.key}>
              {t(a.label)}…
            </button>
          ))}
          <Menu label={t('more')} icon="more" className="square" end>
            {(close) => {
              const run = (f: () => void) => () => {
                close()
                f()
              }
              return (
                <>
                  {rest.map((a) => (
                    <Item key={a.id} danger={a.danger} onSelect={run(() => setDoing(a))} hint={a.key}>
                      {t(a.label)}…
                    </Item>
                  ))}
                  {rest.length > 0 && <hr />}
                  <Item icon="copy" hint="y" onSelect={run(() => void copy(object.id))}>
                    {t('copy_id')}
                  </Item>
                  <Item icon="code" hint="." onSelect={run(() => setJSON(true))}>
                    JSON
                  </Item>
                  <Item icon="code" hint="c" onSelect={run(() => void copy(asCurl('GET', path)))}>
                    {t('copy_curl')}
                  </Item>
                  <Item icon="code" onSelect={run(() => void copy(command ?? `giro get ${object.id}`))}>
                    {t('copy_command')}
                  </Item>
                </>
              )
            }}
          </Menu>
        </div>
      </div>
      <div className={aside ? 'columns' : undefined}>
        <div className="stack">{children}</div>
        {aside && <div className="stack aside">{aside}</div>}
      </div>
      {doing && <ActionDialog action={doing} object={object} onClose={() => setDoing(undefined)} />}
      {json && (
        <Dialog title="JSON" kind="wide" onClose={() => setJSON(false)}>
          <JSONView value={object} />
        </Dialog>
      )}
    </article>
  )
}
