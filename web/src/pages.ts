import type { FunctionComponent } from 'react'
import type { KindName } from './asks.ts'

type Page = () => Promise<FunctionComponent>

const movements = (kind: KindName): Page => async () => {
  const { MovementsPage } = await import('./kinds/movements.tsx')
  return () => MovementsPage({ kind })
}
const movement = (kind: KindName): Page => async () => {
  const { MovementPage } = await import('./kinds/movement.tsx')
  return () => MovementPage({ kind })
}
const receipt = (kind: KindName): Page => async () => {
  const { ReceiptPage } = await import('./kinds/receipt.tsx')
  return () => ReceiptPage({ kind })
}

/** Every page by its path. Its script comes when it is opened, or when the browser has nothing else to do. */
export const pages: Record<string, Page> = {
  '/': async () => (await import('./pages/home.tsx')).HomePage,
  '/payments': movements('charges'),
  '/payments/$id': movement('charges'),
  '/payments/$id/receipt': receipt('charges'),
  '/refunds': movements('refunds'),
  '/refunds/$id': movement('refunds'),
  '/refunds/$id/receipt': receipt('refunds'),
  '/payouts': movements('payouts'),
  '/payouts/$id': movement('payouts'),
  '/payouts/$id/receipt': receipt('payouts'),
  '/transfers': movements('transfers'),
  '/transfers/$id': movement('transfers'),
  '/transfers/$id/receipt': receipt('transfers'),
  '/customers': async () => (await import('./kinds/customers.tsx')).CustomersPage,
  '/customers/$id': async () => (await import('./kinds/customers.tsx')).CustomerPage,
  '/balances': async () => (await import('./pages/balances.tsx')).BalancesPage,
  '/ledger/accounts': async () => (await import('./kinds/ledger.tsx')).LedgerAccountsPage,
  '/ledger/accounts/$id': async () => (await import('./kinds/ledger.tsx')).LedgerAccountPage,
  '/ledger/transactions': async () => (await import('./kinds/ledger.tsx')).LedgerTransactionsPage,
  '/ledger/transactions/$id': async () => (await import('./kinds/ledger.tsx')).LedgerTransactionPage,
  '/developers': async () => (await import('./pages/developers.tsx')).DevelopersPage,
  '/developers/keys': async () => (await import('./pages/keys.tsx')).KeysPage,
  '/developers/webhooks': async () => (await import('./pages/webhooks.tsx')).WebhooksPage,
  '/developers/webhooks/$id': async () => (await import('./pages/webhooks.tsx')).WebhookPage,
  '/developers/events': async () => (await import('./pages/events.tsx')).EventsPage,
  '/developers/events/$id': async () => (await import('./pages/events.tsx')).EventPage,
  '/developers/logs': async () => (await import('./pages/logs.tsx')).LogsPage,
  '/developers/logs/$id': async () => (await import('./pages/logs.tsx')).LogPage,
  '/developers/sandbox': async () => (await import('./pages/sandbox.tsx')).SandboxPage,
  '/settings/team': async () => (await import('./pages/settings.tsx')).TeamPage,
  '/settings/audit': async () => (await import('./pages/audit.tsx')).AuditPage,
  '/settings/providers': async () => (await import('./pages/settings.tsx')).ProvidersPage,
  '/settings/preferences': async () => (await import('./pages/settings.tsx')).PreferencesPage,
}

/** The pattern of the page that a path names. */
export function pageAt(path: string): string | undefined {
  const parts = path.split('/')
  return Object.keys(pages).find((pattern) => {
    const names = pattern.split('/')
    return names.length === parts.length && names.every((n, i) => n === parts[i] || (n === '$id' && parts[i] !== ''))
  })
}
