import { QueryClientProvider } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, RouterProvider, useLocation } from '@tanstack/react-router'
import { StrictMode, useEffect, useMemo, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { scopeKey, send, setScope } from './api/client.ts'
import type { Asked, Begun } from './begin.ts'
import { askKey } from './asks.ts'
import { client } from './data.ts'
import { currentLanguage, loadLanguage, t } from './i18n/index.ts'
import { A, useGo } from './nav.tsx'
import { pages } from './pages.ts'
import { placed, placeOf, type Session } from './place.ts'
import { confirmZone } from './preferences.ts'
import { PlaceContext, usePreferences } from './session.ts'
import { Shell } from './shell.tsx'
import { Failure } from './ui/parts.tsx'
import { base, parseSearch, type Search, stringifySearch } from './url.ts'

let session: Session

/** The frame of every page: reads merchant and mode from the URL, so that a copied link shows the same to others. */
function Root() {
  const location = useLocation()
  const search = location.search as Search
  const go = useGo()
  const place = useMemo(() => placeOf(session, search), [search.merchant, search.mode])
  const whole = place && stringifySearch(placed(search, place))
  useEffect(() => {
    if (place && whole !== stringifySearch(search)) go(location.pathname, placed(search, place), true)
  })
  if (!place) return <p className="alone">{t('no_merchant')}</p>
  setScope({ merchant: place.merchant.id, live: place.live })
  return (
    <PlaceContext value={place}>
      <Shell key={place.merchant.id + place.live} />
    </PlaceContext>
  )
}

function Missing() {
  return (
    <div className="empty barred">
      <h1>{t('no_page')}</h1>
      <A href="/" className="button">
        {t('nav.home')}
      </A>
    </div>
  )
}

/** A page's script; while giro is away the page before stays, and this one comes once giro is back. */
async function arrival<T>(load: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await load()
    } catch (err) {
      if (await fetch('/livez').then((r) => r.ok, () => false)) throw err
      await new Promise((done) => setTimeout(done, 1000))
    }
  }
}

/** Another object's page starts anew: nothing of the last one's state stays. */
const remountDeps = ({ params }: { params: object }) => params

function newRouter() {
  const rootRoute = createRootRoute({ component: Root, notFoundComponent: Missing, errorComponent: ({ error }) => <Failure error={error} /> })
  return createRouter({
    routeTree: rootRoute.addChildren(
      Object.entries(pages).map(([path, load]) => createRoute({ getParentRoute: () => rootRoute, path, component: lazyRouteComponent(async () => ({ default: await arrival(load) })), remountDeps })),
    ),
    basepath: base,
    parseSearch,
    stringifySearch,
    scrollRestoration: true,
    defaultErrorComponent: ({ error }) => <Failure error={error} />,
  })
}

// Made before it is known who asks: there is nothing else to do meanwhile.
const router = newRouter()

function App() {
  const p = usePreferences()
  const [language, setLanguage] = useState(currentLanguage)
  useEffect(() => {
    if (p.language !== language) void loadLanguage(p.language).then(() => setLanguage(p.language))
  }, [p.language, language])
  return <RouterProvider key={language + p.format + p.timeZone} router={router} />
}

/** How long the first sight of a page waits for what was asked for it, in milliseconds: drawn once is drawn sooner. */
const patience = 120

/** Puts what was asked early where the page will look for it. */
function take(asked: Asked[], scope: string): Promise<unknown> {
  return Promise.all(
    asked.map(({ path, query, answer }) => {
      let first: Promise<unknown> | undefined = answer
      return client.prefetchQuery({
        queryKey: askKey(scope, path, [], query),
        queryFn: ({ signal }) => {
          const now = first ?? send('GET', path, { query, signal })
          first = undefined
          return now
        },
      })
    }),
  )
}

/** Draws the page that the URL names. */
export async function start(begun: Begun) {
  session = begun.session
  const answers = begun.place ? take(begun.asked, scopeKey({ merchant: begun.place.merchant.id, live: begun.place.live })) : undefined
  await Promise.all([router.load(), Promise.race([answers, new Promise((done) => setTimeout(done, patience))])])
  createRoot(document.getElementById('root')!).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  )
  // What can wait until the page is there and nothing else is to be done: the browser's zone, and the other pages' script.
  const idle = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 1000))
  const rest = Object.values(pages)
  const next = () => {
    const load = rest.shift()
    if (load) void load().then(() => idle(next), () => undefined)
  }
  setTimeout(() => idle(() => (confirmZone(), next())), 2000)
}

/** Says why there is no page. */
export function fail(err: unknown) {
  createRoot(document.getElementById('root')!).render(
    <div className="alone">
      <Failure error={err} retry={() => location.reload()} />
    </div>,
  )
}
