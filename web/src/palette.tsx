import { useQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { currentScope, type Schema, scopeKey, send } from './api/client.ts'
import { money } from './format.ts'
import { type Key, label, labelOf, t } from './i18n/index.ts'
import { pageActs } from './keys.ts'
import { pageOf, useGo } from './nav.tsx'
import type { NavItem } from './navigation.ts'
import { setPreferences } from './preferences.ts'
import { shortID } from './ui/parts.tsx'
import { useMay } from './session.ts'
import { Dialog } from './ui/dialog.tsx'
import { Icon, type IconName } from './ui/icon.tsx'

interface Choice {
  id: string
  text: string
  note?: string
  icon: IconName
  run: () => void
}

type Found = Schema<'SearchResult'>

/** Goes anywhere and finds anything: pages, acts, and every id, reference, name, document and e-mail address. */
export function Palette({ commands, items, onClose, onCreate, onCurl, creatable, switchMode }: { commands: boolean; items: NavItem[]; onClose: () => void; onCreate: (kind: string) => void; onCurl: () => void; creatable: readonly string[]; switchMode: (live: boolean) => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const go = useGo()
  const may = useMay()
  const id = useId()
  const wanted = text.trim()
  const found = useQuery({
    queryKey: [scopeKey(currentScope()), '/v1/search', wanted],
    queryFn: ({ signal }) => send<Found[]>('GET', '/v1/search', { query: { q: wanted, limit: '20' }, signal }),
    enabled: wanted.length >= 2 && may('payments.read'),
    staleTime: 5000,
    retry: false,
  })
  const then = (f: () => void) => () => {
    onClose()
    f()
  }
  const pages: Choice[] = items.flatMap((n) => [n, ...(n.items ?? []).filter((x) => x.href !== n.href)]).map((n) => ({ id: 'go ' + n.href, text: t(n.key), note: t('go_to'), icon: n.icon ?? 'right', run: then(() => (n.outside ? void open(n.href, '_blank', 'noreferrer') : go(n.href))) }))
  const acts: Choice[] = [
    ...pageActs().map((a) => ({ id: 'here ' + a.id, text: a.text, note: t('on_this_page'), icon: 'activity' as const, run: then(a.run) })),
    { id: 'curl', text: t('copy_curl'), note: t('on_this_page'), icon: 'copy', run: then(onCurl) },
    ...creatable.map((k) => ({ id: 'create ' + k, text: t(`create.${k}` as Key), note: t('create'), icon: 'plus' as const, run: then(() => onCreate(k)) })),
    ...(['light', 'dark', 'auto'] as const).map((x) => ({ id: 'theme ' + x, text: `${t('theme')}: ${t(`theme.${x}`)}`, icon: 'half' as const, run: then(() => setPreferences({ theme: x })) })),
    { id: 'test', text: t('keys.test'), icon: 'activity', run: then(() => switchMode(false)) },
    { id: 'live', text: t('keys.live'), icon: 'activity', run: then(() => switchMode(true)) },
  ]
  const jump = pageOf(wanted)
  const low = wanted.toLowerCase()
  const matches = (c: Choice) => !low || (c.text + ' ' + (c.note ?? '')).toLowerCase().includes(low)
  const icons: Record<string, IconName> = { charge: 'payments', refund: 'refunds', payout: 'payouts', transfer: 'transfers', customer: 'customers', account: 'ledger', ledger_transaction: 'ledger', event: 'activity', webhook_endpoint: 'webhook', api_key: 'key', person: 'user' }
  const results: Choice[] = (found.data?.data ?? []).map((r: Found) => ({
    id: r.id,
    text: [r.title || r.id, r.amount !== null && r.currency && money(r.amount, r.currency)].filter(Boolean).join(' · '),
    note: [label('noun', r.type), r.status && labelOf('status', r.type, r.status), r.title ? shortID(r.id) : label('matched', r.match)].filter(Boolean).join(' · '),
    icon: icons[r.type] ?? 'search',
    run: then(() => {
      const page = pageOf(r.id) ?? (r.type === 'api_key' ? '/developers/keys' : r.type === 'person' ? '/settings/team' : undefined)
      if (page) go(page)
    }),
  }))
  const list: Choice[] = [
    ...(jump && !results.some((r) => r.id === wanted) ? [{ id: 'jump', text: wanted, note: t('open'), icon: 'right' as const, run: then(() => go(jump)) }] : []),
    ...results,
    ...(commands || low || !may('payments.read') ? [...(commands && !low ? [...acts, ...pages] : [...pages, ...acts])].filter(matches) : []),
  ].slice(0, 40)
  const chosen = Math.min(at, list.length - 1)
  return (
    <Dialog title={t('search')} kind="palette" onClose={onClose}>
      <label className="palette-input">
        <Icon name="search" />
        <input
          autoFocus
          type="text"
          value={text}
          placeholder={t('search_hint')}
          aria-label={t('search')}
          role="combobox"
          aria-expanded={list.length > 0}
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={list[chosen] ? `${id}-${chosen}` : undefined}
          autoComplete="off"
          spellCheck={false}
          onChange={(e) => {
            setText(e.target.value)
            setAt(0)
          }}
          onKeyDown={(e) => {
            if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
              e.preventDefault()
              setAt(Math.max(0, Math.min(list.length - 1, chosen + (e.key === 'ArrowDown' ? 1 : -1))))
            } else if (e.key === 'Enter') {
              e.preventDefault()
              list[chosen]?.run()
            }
          }}
        />
      </label>
      <ul id={id} role="listbox" aria-label={t('search')} className="choices">
        {list.map((c, i) => (
          <li key={c.id} id={`${id}-${i}`} role="option" aria-selected={i === chosen} className={i === chosen ? 'on' : undefined} onMouseMove={() => setAt(i)} onMouseDown={(e) => e.preventDefault()} onClick={c.run} ref={i === chosen ? (el) => el?.scrollIntoView({ block: 'nearest' }) : undefined}>
            <Icon name={c.icon} />
            <span className="grow clip">{c.text}</span>
            {c.note && <span className="muted small nowrap">{c.note}</span>}
          </li>
        ))}
      </ul>
      {wanted.length >= 2 && !found.isFetching && list.length === 0 && <p className="palette-note muted">{t('search_none')}</p>}
      {wanted.length < 2 && !commands && <p className="palette-note muted">{t('search_what')}</p>}
    </Dialog>
  )
}
