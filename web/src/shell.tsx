import { Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { asCurl, send } from './api/client.ts'
import { asCommand, client, currentRequest } from './data.ts'
import { label, t } from './i18n/index.ts'
import { useKeys } from './keys.ts'
import { follow, useLive } from './live.ts'
import { A, useGo, useSearch } from './nav.tsx'
import { type NavItem, useBarrier, useItems } from './navigation.ts'
import type { Permission } from './place.ts'
import { Palette } from './palette.tsx'
import { setPreferences, type Theme } from './preferences.ts'
import { useMay, usePlace, usePreferences } from './session.ts'
import type { Search } from './url.ts'
import { Dialog } from './ui/dialog.tsx'
import { Icon, type IconName } from './ui/icon.tsx'
import { Item, Menu } from './ui/menu.tsx'
import { copy, JSONView, Toasts } from './ui/parts.tsx'

const CreateDialog = lazy(() => import('./create.tsx'))

const themes: Theme[] = ['auto', 'light', 'dark']
const themeIcons: Record<Theme, IconName> = { auto: 'auto', light: 'sun', dark: 'moon' }

export function Shell() {
  const place = usePlace()
  const items = useItems()
  const p = usePreferences()
  const go = useGo()
  const [search, setSearch] = useSearch()
  const path = useLocation().pathname
  const [palette, setPalette] = useState<'' | 'search' | 'commands'>('')
  const [help, setHelp] = useState(false)
  const [json, setJSON] = useState(false)
  const [menu, setMenu] = useState(false)
  const [live, setLive] = useState(false)
  const barrier = useBarrier(path)
  const create = search.create ?? ''
  const setCreate = (kind: string) => setSearch({ create: kind || undefined }, true)

  useEffect(() => follow({ merchant: place.merchant.id, live: place.live }, client), [place.merchant.id, place.live])
  useEffect(() => setMenu(false), [path])
  const here = items.flatMap((n) => [...(n.items ?? []), n]).find((n) => n.href === path)
  useEffect(() => {
    document.title = `${here ? t(here.key) : 'giro'} · ${place.merchant.name}${place.live ? '' : ` · ${t('test_data')}`} · giro`
  })
  const switchMode = (to: boolean) => {
    if (to === place.live) return
    if (to) setLive(true)
    else switchTo({ mode: 'test' })
  }
  // The same page and filter in other books: a cursor belongs to the ones it came from.
  const switchTo = (change: Search) => {
    const { cursor: _c, before: _b, at: _a, ...rest } = search
    const detail = /^\/(payments|refunds|payouts|transfers|customers|ledger\/accounts|ledger\/transactions|developers\/events|developers\/webhooks|developers\/logs)\/[^/]+$/.test(path)
    if (detail) go(path.slice(0, path.lastIndexOf('/')), { ...change })
    else go(path, { ...rest, ...change })
  }
  const curl = () => {
    const r = currentRequest()
    if (r) void copy(asCurl(r.method, r.path, r.query))
  }
  useKeys({
    '/': () => setPalette('search'),
    'Mod+k': () => setPalette('commands'),
    '?': () => setHelp(true),
    c: curl,
    '.': () => setJSON(true),
    'm t': () => switchMode(false),
    'm l': () => switchMode(true),
    t: () => setPreferences({ theme: themes[(themes.indexOf(p.theme) + 1) % 3]! }),
    ...Object.fromEntries(items.flatMap((n) => [n, ...(n.items ?? [])]).filter((n) => n.keys).map((n) => ['g ' + n.keys, () => go(n.href)])),
  }, 'base')
  const may = useMay()
  const creatable = (['charges', 'payouts', 'transfers', 'customers'] as const).filter((k) => may(`${k}.write`))
  return (
    <div className={'shell' + (p.rail === 'narrow' ? ' narrow' : '')}>
      <a className="skip" href="#main">
        {t('skip')}
      </a>
      {!place.live && <div className="test-bar" aria-hidden="true" />}
      <header className="topbar">
        <button type="button" className="quiet square only-small" aria-label={t('menu')} aria-expanded={menu} onClick={() => setMenu(!menu)}>
          <Icon name="menu" />
        </button>
        <Menu label={t('merchant')} text={<span className="clip">{place.merchant.name}</span>} current={place.merchant.name} caret={true} className="quiet merchant">
          {(close) => (
            <>
              {place.session.merchants.map((m) => (
                <Item
                  key={m.id}
                  checked={m.id === place.merchant.id}
                  onSelect={() => {
                    close()
                    switchTo({ merchant: m.id })
                  }}
                >
                  {m.name} <span className="muted small">{label('role_name', m.role)}</span>
                </Item>
              ))}
            </>
          )}
        </Menu>
        <div className="mode" role="group" aria-label={t('mode')}>
          <button type="button" aria-pressed={!place.live} className={place.live ? '' : 'test on'} onClick={() => switchMode(false)}>
            {t('test')}
          </button>
          <button type="button" aria-pressed={place.live} className={place.live ? 'live on' : ''} onClick={() => switchMode(true)}>
            {t('live')}
          </button>
        </div>
        {!place.live && <span className="chip test">{t('test_data')}</span>}
        <button type="button" className="search-button" onClick={() => setPalette('search')} aria-label={t('search_hint')}>
          <Icon name="search" />
          <span className="grow">{t('search_hint')}</span>
          <kbd>/</kbd>
        </button>
        {creatable.length > 0 && (
          <Menu label={t('create')} icon="plus" text={<span className="not-small">{t('create')}</span>} className="primary" end>
            {(close) =>
              creatable.map((k) => (
                <Item
                  key={k}
                  onSelect={() => {
                    close()
                    setCreate(k)
                  }}
                >
                  {t(`create.${k}`)}
                </Item>
              ))
            }
          </Menu>
        )}
        <Menu label={t('request')} icon="code" className="quiet square not-small" end>
          {(close) => (
            <>
              <Item
                icon="copy"
                hint="c"
                onSelect={() => {
                  close()
                  curl()
                }}
              >
                {t('copy_curl')}
              </Item>
              <Item
                icon="copy"
                onSelect={() => {
                  close()
                  const r = currentRequest()
                  if (r) void copy(asCommand(r))
                }}
              >
                {t('copy_command')}
              </Item>
              <Item
                icon="code"
                hint="."
                onSelect={() => {
                  close()
                  setJSON(true)
                }}
              >
                JSON
              </Item>
              <hr />
              <a className="item" role="menuitem" href="/docs" target="_blank" rel="noreferrer">
                <Icon name="link" size={14} />
                <span className="grow">{t('api_docs')}</span>
              </a>
            </>
          )}
        </Menu>
        <button type="button" className="quiet square not-small" onClick={() => setHelp(true)} aria-label={t('shortcuts')} title="?">
          <Icon name="help" />
        </button>
        <Menu label={t('theme')} icon={themeIcons[p.theme]} className="quiet square not-small" end>
          {(close) =>
            themes.map((x) => (
              <Item
                key={x}
                checked={p.theme === x}
                onSelect={() => {
                  close()
                  setPreferences({ theme: x })
                }}
              >
                {t(`theme.${x}`)}
              </Item>
            ))
          }
        </Menu>
        <Menu label={place.session.person.name} icon="user" className="quiet square avatar" end>
          {(close) => (
            <>
              <p className="menu-note">
                <strong>{place.session.person.name}</strong>
                <br />
                <span className="muted small">
                  {place.session.person.email} · {label('role_name', place.merchant.role)}
                </span>
              </p>
              <Item
                icon="settings"
                onSelect={() => {
                  close()
                  go('/settings/preferences')
                }}
              >
                {t('nav.preferences')}
              </Item>
              <Item icon="back" onSelect={() => void send('DELETE', '/v1/session').finally(() => location.assign('/app/login'))}>
                {t('sign_out')}
              </Item>
            </>
          )}
        </Menu>
      </header>
      <nav className={'rail' + (menu ? ' open' : '')} aria-label={t('navigation')}>
        <div className="rail-body">
        <ul>
          {items.map((n) => {
            const all = n.items?.length ? n.items.map((x) => x.href) : [n.href]
            const on = all.concat(n.href).some((h) => (h === '/' ? path === '/' : path === h || path.startsWith(h + '/'))) && !(n.href === '/developers' && path.startsWith('/settings'))
            const target = n.items?.find((x) => x.href === n.href) ? n.href : (n.items?.[0]?.href ?? n.href)
            return (
              <li key={n.href}>
                <A href={target} className={on ? 'on' : undefined} aria-current={on && !(n.items && n.items.length > 1) ? 'page' : undefined} title={t(n.key)}>
                  <Icon name={n.icon!} size={17} />
                  <span>{t(n.key)}</span>
                </A>
                {on && n.items && n.items.length > 1 && (
                  <ul>
                    {n.items.map((x) => {
                      const exact = path === x.href || (x.href !== n.href && path.startsWith(x.href + '/')) || (x.href === '/payments' && path.startsWith('/payments/'))
                      return (
                        <li key={x.href}>
                          {x.outside ? (
                            <a href={x.href} target="_blank" rel="noreferrer">
                              {t(x.key)} <Icon name="link" size={12} />
                            </a>
                          ) : (
                            <A href={x.href} className={exact ? 'on' : undefined} aria-current={exact ? 'page' : undefined}>
                              {t(x.key)}
                            </A>
                          )}
                        </li>
                      )
                    })}
                  </ul>
                )}
              </li>
            )
          })}
        </ul>
        <button type="button" className="quiet small collapse" onClick={() => setPreferences({ rail: p.rail === 'narrow' ? 'wide' : 'narrow' })} aria-label={p.rail === 'narrow' ? t('expand') : t('collapse')}>
          <Icon name={p.rail === 'narrow' ? 'right' : 'left'} size={14} />
          <span>{t('collapse')}</span>
        </button>
        </div>
      </nav>
      {menu && <div className="scrim" onClick={() => setMenu(false)} aria-hidden="true" />}
      <main id="main" tabIndex={-1}>
        <Paused />
        {barrier ? <Barred by={barrier} onTest={() => switchMode(false)} /> : <Outlet />}
      </main>
      <Toasts />
      {palette && <Palette commands={palette === 'commands'} items={items} onClose={() => setPalette('')} onCreate={setCreate} onCurl={curl} creatable={creatable} switchMode={switchMode} />}
      {help && <Shortcuts items={items} onClose={() => setHelp(false)} />}
      {json && (
        <Dialog title="JSON" kind="wide" onClose={() => setJSON(false)}>
          <p className="muted small">
            <code>
              {currentRequest()?.method} {currentRequest()?.path}
            </code>
          </p>
          <JSONView value={currentRequest()?.data ?? null} />
        </Dialog>
      )}
      {live && (
        <Dialog title={t('go_live')} onClose={() => setLive(false)}>
          <p>{t('go_live_note')}</p>
          <footer className="dialog-foot">
            <span className="grow" />
            <button type="button" onClick={() => setLive(false)}>
              {t('not_now')}
            </button>
            <button
              type="button"
              className="primary"
              onClick={() => {
                setLive(false)
                switchTo({ mode: 'live' })
              }}
            >
              {t('go_live')}
            </button>
          </footer>
        </Dialog>
      )}
      {create !== '' && (creatable as readonly string[]).includes(create) && (
        <Suspense fallback={null}>
          <CreateDialog kind={create as (typeof creatable)[number]} onClose={() => setCreate('')} />
        </Suspense>
      )}
    </div>
  )
}

/** In place of a page that would only be refused: why, and what leads on. */
function Barred({ by, onTest }: { by: Permission | 'live'; onTest: () => void }) {
  const place = usePlace()
  return (
    <div className="empty barred">
      <h1>{t(by === 'live' ? 'barred.live' : 'error.forbidden')}</h1>
      {by === 'live' ? (
        <button type="button" onClick={onTest}>
          {t('keys.test')}
        </button>
      ) : (
        <p>{t('barred.role', { role: label('role_name', place.merchant.role), permission: by })}</p>
      )}
    </div>
  )
}

/** A thin bar while the stream is away; the pages poll meanwhile. */
function Paused() {
  const { state, retryAt } = useLive()
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    if (state !== 'paused') return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [state, retryAt])
  if (state !== 'paused') return null
  return (
    <div className="paused" role="status">
      {t('live_paused', { seconds: Math.max(0, Math.ceil((retryAt - now) / 1000)) })}
    </div>
  )
}

function Shortcuts({ items, onClose }: { items: NavItem[]; onClose: () => void }) {
  const sections: [string, [string, string][]][] = [
    [t('keys.anywhere'), [['/', t('search')], ['Ctrl K', t('keys.palette')], ['?', t('shortcuts')], ['c', t('copy_curl')], ['.', 'JSON'], ['m t', t('keys.test')], ['m l', t('keys.live')], ['t', t('theme')]]],
    [t('keys.go'), items.flatMap((n) => [n, ...(n.items ?? [])]).filter((n) => n.keys).map((n) => ['g ' + n.keys, t(n.key)])],
    [t('keys.lists'), [['j k', t('keys.rows')], ['Enter', t('open')], ['Space', t('peek')], ['x', t('keys.select')], ['Shift x', t('keys.range')], ['f', t('keys.filter')], ['v', t('views')], ['s', t('views.save')], ['e', t('export')], ['r', t('refresh')], ['[ ]', t('keys.pages')]]],
    [t('keys.details'), [['j k', t('keys.neighbours')], ['y', t('copy_id')], ['R', t('action.refund')], ['C', t('action.capture')], ['Esc', t('keys.back')]]],
  ]
  return (
    <Dialog title={t('shortcuts')} kind="wide" onClose={onClose}>
      <div className="shortcuts">
        {sections.map(([name, keys]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {keys.map(([k, what]) => (
                <div key={k}>
                  <dt>
                    <kbd>{k}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
