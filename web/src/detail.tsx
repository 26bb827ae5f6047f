import { type ReactNode, useEffect, useRef, useState } from 'react'
import { asCurl } from './api/client.ts'
import { type Action, ActionDialog } from './actions.tsx'
import { asCommand, usePageRequest } from './data.ts'
import { t } from './i18n/index.ts'
import { useKeys, usePageActs } from './keys.ts'
import { useLocation } from '@tanstack/react-router'
import { A, useGo } from './nav.tsx'
import { useMay } from './session.ts'
import { Dialog } from './ui/dialog.tsx'
import { Item, Menu } from './ui/menu.tsx'
import { Icon } from './ui/icon.tsx'
import { copy, ID, JSONView, toastFailure } from './ui/parts.tsx'
import { leaveTo, useWay } from './way.ts'

/** By which button the reader came here: the focus stays with it from page to page. */
let stepped = 0

function Step({ by, disabled, run }: { by: -1 | 1; disabled: boolean; run: (by: -1 | 1) => Promise<void> }) {
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (stepped !== by) return
    stepped = 0
    button.current?.focus()
  }, [])
  const name = t(by < 0 ? 'detail.previous' : 'detail.next')
  return (
    <button ref={button} type="button" className="quiet small" disabled={disabled} title={by < 0 ? 'k' : 'j'} onClick={() => {
      stepped = by
      void run(by)
    }}>
      {by < 0 && <Icon name="left" size={13} />}
      {name}
      {by > 0 && <Icon name="right" size={13} />}
    </button>
  )
}

/** The frame of every page about one object: where it stands, what it is, what can be done with it. */
export function Detail<T extends { id: string }>({ object, path, back, backName, title, actions = [], aside, children, command }: { object: T; path: string; back: string; backName: string; title: ReactNode; actions?: Action<T>[]; aside?: ReactNode; children: ReactNode; command?: string }) {
  const may = useMay()
  const go = useGo()
  const [doing, setDoing] = useState<Action<T>>()
  const [json, setJSON] = useState(false)
  const here = useLocation().pathname
  const way = useWay(here)
  const back_ = way?.page === back ? way.search : undefined
  const leave = () => go(back, back_)
  useEffect(() => leaveTo(here), [])
  const beside = async (by: -1 | 1) => {
    try {
      const href = await way?.beside(by)
      if (href) {
        go(href)
      }
    } catch (err) {
      toastFailure(err)
    }
  }
  const allowed = actions.filter((a) => may(a.may) && a.when(object))
  const request = { method: 'GET', path, data: object, command: command ?? `giro get ${object.id}` }
  usePageRequest(request)
  usePageActs([
    ...allowed.map((a) => ({ id: a.id, text: t(a.label) + '…', run: () => setDoing(a) })),
    { id: 'copy_id', text: t('copy_id'), run: () => void copy(object.id) },
  ])
  useKeys({
    y: () => void copy(object.id),
    '.': () => setJSON(true),
    c: () => void copy(asCurl('GET', path)),
    Escape: leave,
    j: () => void beside(1),
    k: () => void beside(-1),
    ...Object.fromEntries(allowed.filter((a) => a.key).map((a) => [a.key!, () => setDoing(a)])),
  })
  const first = allowed.filter((a) => !a.danger && !a.words).slice(0, 2)
  const rest = allowed.filter((a) => !first.includes(a))
  return (
    <article className="detail">
      <nav className="crumbs" aria-label={t('breadcrumb')}>
        <A href={back} search={back_}>
          {backName}
        </A>
        <span aria-hidden="true">›</span>
        <ID value={object.id} long link={false} />
        {way && (
          <span className="beside">
            <Step by={-1} disabled={way.first} run={beside} />
            <Step by={1} disabled={way.last} run={beside} />
          </span>
        )}
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
                  <Item icon="code" onSelect={run(() => void copy(asCommand(request)))}>
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
