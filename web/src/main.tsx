import { QueryClientProvider } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, RouterProvider, useLocation } from '@tanstack/react-router'
import { type FunctionComponent as ComponentType, StrictMode, useEffect, useMemo, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Problem, send, setScope } from './api/client.ts'
import { client } from './data.ts'
import { currentLanguage, languages, type Language, loadLanguage, t } from './i18n/index.ts'
import { CustomerPage, CustomersPage } from './kinds/customers.tsx'
import { LedgerAccountPage, LedgerAccountsPage, LedgerTransactionPage, LedgerTransactionsPage } from './kinds/ledger.tsx'
import { MovementPage, MovementsPage } from './kinds/movements.tsx'
import { ReceiptPage } from './kinds/receipt.tsx'
import { base, parseSearch, type Search, stringifySearch, useGo } from './nav.tsx'
import { AuditPage } from './pages/audit.tsx'
import { BalancesPage } from './pages/balances.tsx'
import { DevelopersPage } from './pages/developers.tsx'
import { EventPage, EventsPage } from './pages/events.tsx'
import { HomePage } from './pages/home.tsx'
import { KeysPage } from './pages/keys.tsx'
import { LogPage, LogsPage } from './pages/logs.tsx'
import { SandboxPage } from './pages/sandbox.tsx'
import { PreferencesPage, ProvidersPage, TeamPage } from './pages/settings.tsx'
import { WebhookPage, WebhooksPage } from './pages/webhooks.tsx'
import { preferences, setPreferences, usePreferences } from './preferences.ts'
import { type Place, PlaceContext, type Session } from './session.ts'
import { Shell } from './shell.tsx'
import { Failure } from './ui/parts.tsx'
import './style.css'

declare global {
  interface Window {
    /** theme.js has asked, before this file was here. */
    giroSession?: Promise<Response>
  }
}

let session: Session

/** The frame of every page: reads merchant and mode from the URL, so that a copied link shows the same to others. */
function Root() {
  const location = useLocation()
  const search = location.search as Search
  const go = useGo()
  const live = search.mode === 'live'
  const merchant = session.merchants.find((m) => m.id === search.merchant) ?? session.merchants[0]
  const complete = (search.mode === 'live' || search.mode === 'test') && (!merchant || session.merchants.length === 1 || search.merchant === merchant.id)
  useEffect(() => {
    if (!complete) go(location.pathname, { ...search, mode: live ? 'live' : 'test', ...(merchant && session.merchants.length > 1 ? { merchant: merchant.id } : {}) }, true)
  })
  const place = useMemo<Place | undefined>(() => (merchant ? { session, merchant, live } : undefined), [merchant, live])
  if (!place) return <p className="alone">{t('no_merchant')}</p>
  setScope({ merchant: place.merchant.id, live })
  return (
    <PlaceContext value={place}>
      <Shell key={place.merchant.id + live} />
    </PlaceContext>
  )
}

function Missing() {
  return (
    <div className="empty">
      <p>{t('no_page')}</p>
    </div>
  )
}

const pages: Record<string, ComponentType> = {
  '/': HomePage,
  '/payments': () => <MovementsPage kind="charges" />,
  '/payments/$id': () => <MovementPage kind="charges" />,
  '/payments/$id/receipt': () => <ReceiptPage kind="charges" />,
  '/refunds': () => <MovementsPage kind="refunds" />,
  '/refunds/$id': () => <MovementPage kind="refunds" />,
  '/refunds/$id/receipt': () => <ReceiptPage kind="refunds" />,
  '/payouts': () => <MovementsPage kind="payouts" />,
  '/payouts/$id': () => <MovementPage kind="payouts" />,
  '/payouts/$id/receipt': () => <ReceiptPage kind="payouts" />,
  '/transfers': () => <MovementsPage kind="transfers" />,
  '/transfers/$id': () => <MovementPage kind="transfers" />,
  '/transfers/$id/receipt': () => <ReceiptPage kind="transfers" />,
  '/customers': CustomersPage,
  '/customers/$id': CustomerPage,
  '/balances': BalancesPage,
  '/ledger/accounts': LedgerAccountsPage,
  '/ledger/accounts/$id': LedgerAccountPage,
  '/ledger/transactions': LedgerTransactionsPage,
  '/ledger/transactions/$id': LedgerTransactionPage,
  '/developers': DevelopersPage,
  '/developers/keys': KeysPage,
  '/developers/webhooks': WebhooksPage,
  '/developers/webhooks/$id': WebhookPage,
  '/developers/events': EventsPage,
  '/developers/events/$id': EventPage,
  '/developers/logs': LogsPage,
  '/developers/logs/$id': LogPage,
  '/developers/sandbox': SandboxPage,
  '/settings/team': TeamPage,
  '/settings/audit': AuditPage,
  '/settings/providers': ProvidersPage,
  '/settings/preferences': PreferencesPage,
}

/** Another object's page starts anew: nothing of the last one's state stays. */
const remountDeps = ({ params }: { params: object }) => params

const rootRoute = createRootRoute({ component: Root, notFoundComponent: Missing, errorComponent: ({ error }) => <Failure error={error} /> })
const router = createRouter({
  routeTree: rootRoute.addChildren(Object.entries(pages).map(([path, component]) => createRoute({ getParentRoute: () => rootRoute, path, component, remountDeps }))),
  basepath: base,
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
  defaultErrorComponent: ({ error }) => <Failure error={error} />,
})

function App() {
  const p = usePreferences()
  const [language, setLanguage] = useState(currentLanguage)
  useEffect(() => {
    if (p.language !== language) void loadLanguage(p.language).then(() => setLanguage(p.language))
  }, [p.language, language])
  return <RouterProvider key={language + p.format + p.timeZone} router={router} />
}

/** What the person has chosen on another browser, where this one has chosen nothing. */
function adopt(saved: Record<string, string>) {
  if (document.cookie.includes('giro_language=') || Object.keys(saved).length === 0) return
  const l = saved.language
  setPreferences({
    ...(l && l in languages ? { language: l as Language } : {}),
    ...(saved.format ? { format: saved.format } : {}),
    ...(saved.time_zone ? { timeZone: saved.time_zone } : {}),
    ...(saved.theme === 'light' || saved.theme === 'dark' ? { theme: saved.theme } : {}),
    ...(saved.density === 'comfy' ? { density: 'comfy' } : {}),
    ...(saved.shortcuts === 'false' ? { shortcuts: false } : {}),
  })
}

async function start() {
  document.documentElement.dataset.density = preferences().density
  const root = createRoot(document.getElementById('root')!)
  try {
    const [answer] = await Promise.all([send<Session>('GET', '/v1/session', { asked: window.giroSession }), loadLanguage(preferences().language)])
    session = answer.data
    adopt(session.person.preferences as Record<string, string>)
    await loadLanguage(preferences().language)
  } catch (err) {
    if (err instanceof Problem && err.status === 401) return // on the way to the sign-in page
    root.render(
      <div className="alone">
        <Failure error={err} retry={() => location.reload()} />
      </div>,
    )
    return
  }
  root.render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  )
}

void start()
