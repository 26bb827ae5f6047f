import type { Key } from './i18n/index.ts'
import type { Permission } from './place.ts'
import { useMay, usePlace } from './session.ts'
import type { IconName } from './ui/icon.tsx'

export interface NavItem {
  key: Key
  href: string
  icon?: IconName
  may?: Permission
  /** In test mode alone. */
  test?: boolean
  keys?: string
  /** Not a page of the dashboard: opens beside it. */
  outside?: boolean
  items?: NavItem[]
}

const navigation: NavItem[] = [
  { key: 'nav.home', href: '/', icon: 'home', keys: 'h' },
  { key: 'nav.payments', href: '/payments', icon: 'payments', keys: 'p', items: [{ key: 'nav.all_payments', href: '/payments' }, { key: 'nav.refunds', href: '/refunds', keys: 'r' }] },
  { key: 'nav.payouts', href: '/payouts', icon: 'payouts', keys: 'o' },
  { key: 'nav.transfers', href: '/transfers', icon: 'transfers', keys: 't' },
  { key: 'nav.customers', href: '/customers', icon: 'customers', keys: 'c' },
  {
    key: 'nav.balances', href: '/balances', icon: 'balances', may: 'balances.read', keys: 'b',
    items: [{ key: 'nav.overview', href: '/balances' }, { key: 'nav.ledger_accounts', href: '/ledger/accounts', keys: 'l' }, { key: 'nav.ledger_transactions', href: '/ledger/transactions' }],
  },
  {
    key: 'nav.developers', href: '/developers', icon: 'developers', may: 'payments.read',
    items: [
      { key: 'nav.overview', href: '/developers', may: 'developers.read' },
      { key: 'nav.keys', href: '/developers/keys', may: 'developers.read', keys: 'k' },
      { key: 'nav.webhooks', href: '/developers/webhooks', may: 'developers.read', keys: 'w' },
      { key: 'nav.events', href: '/developers/events', may: 'payments.read', keys: 'e' },
      { key: 'nav.logs', href: '/developers/logs', may: 'developers.read' },
      { key: 'nav.sandbox', href: '/developers/sandbox', may: 'sandbox.write', test: true },
      { key: 'nav.api_docs', href: '/docs', outside: true },
    ],
  },
  {
    key: 'nav.settings', href: '/settings/preferences', icon: 'settings',
    items: [
      { key: 'nav.team', href: '/settings/team', may: 'team.read' },
      { key: 'nav.providers', href: '/settings/providers', may: 'settings.write' },
      { key: 'nav.audit', href: '/settings/audit', may: 'audit.read' },
      { key: 'nav.preferences', href: '/settings/preferences' },
    ],
  },
]

/** What keeps a person from the page of a path: a permission that is missing, or live mode. A page under a list follows the list. */
export function useBarrier(path: string): Permission | 'live' | undefined {
  const may = useMay()
  const { live } = usePlace()
  const all = navigation.flatMap((n) => [...(n.items ?? []).map((x) => ({ ...x, may: x.may ?? n.may })), n])
  const page = all.filter((n) => path === n.href || path.startsWith(n.href + '/')).sort((a, b) => b.href.length - a.href.length)[0]
  if (page?.may && !may(page.may)) return page.may
  return page?.test && live ? 'live' : undefined
}

/** The pages a person may open, flat, for keys and the palette. */
export function useItems(): NavItem[] {
  const may = useMay()
  const { live } = usePlace()
  const open = (n: NavItem) => (!n.may || may(n.may)) && !(n.test && live)
  return navigation.filter(open).map((n) => ({ ...n, items: n.items?.filter(open) }))
}
