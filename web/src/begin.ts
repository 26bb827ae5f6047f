// The first script of the dashboard, and a small one: it asks who is signed in
// and what the page will ask for, while the rest is still on its way.
import './style.css'
import { parse, Problem, type Result, send, setScope } from './api/client.ts'
import { type Ask, firstAsks } from './asks.ts'
import { loadLanguage } from './i18n/index.ts'
import { type Language, languages } from './i18n/language.ts'
import { pageAt, pages } from './pages.ts'
import { type Place, placed, placeOf, type Session } from './place.ts'
import { hasChosen, preferences, setPreferences } from './preferences.ts'
import { base, currentPath, parseSearch, stringifySearch } from './url.ts'

/** Something that the page will ask for, and its answer. */
export interface Asked extends Ask {
  answer: Promise<Result<unknown>>
}

/** Where the page stands, and what was asked for it. */
export interface Begun {
  session: Session
  place?: Place
  asked: Asked[]
}

/** What the person has chosen on another browser, where this one has chosen nothing. */
function adopt(saved: Record<string, string>) {
  if (hasChosen() || Object.keys(saved).length === 0) return
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

async function begin(): Promise<Begun> {
  // The document says who is signed in, as the API does; that of `npm run dev` does not.
  const said = document.getElementById('session')?.textContent
  const session = said ? (parse(said) as Session) : (await send<Session>('GET', '/v1/session')).data
  adopt(session.person.preferences as Record<string, string>)
  const search = parseSearch(location.search)
  const place = placeOf(session, search)
  if (!place) return { session, asked: [] }
  setScope({ merchant: place.merchant.id, live: place.live })
  // The URL says where the page stands before anything reads it.
  history.replaceState(history.state, '', base + currentPath() + stringifySearch(placed(search, place)) + location.hash)
  const asked = firstAsks(currentPath(), search, place).map((ask) => ({ ...ask, answer: send('GET', ask.path, { query: ask.query }) }))
  for (const { answer } of asked) answer.catch(() => undefined) // told by the page that asks for it
  return { session, place, asked }
}

// Another build is served than the one this page is of: begin anew, but not over and over.
addEventListener('vite:preloadError', () => {
  const last = Number(sessionStorage.getItem('giro.reloaded') ?? 0)
  if (Date.now() - last < 60_000) return
  // A server that is away has nothing to begin with: the page waits for it.
  fetch('/livez').then(
    (r) => {
      if (!r.ok) return
      sessionStorage.setItem('giro.reloaded', String(Date.now()))
      location.reload()
    },
    () => undefined,
  )
})

// First what has to travel.
const begun = begin()
begun.catch(() => undefined) // told below
const pattern = pageAt(currentPath())
const page = pattern === undefined ? undefined : pages[pattern]!()
page?.catch(() => undefined) // the router asks for it again
document.documentElement.dataset.theme = preferences().theme
document.documentElement.dataset.density = preferences().density
const words = loadLanguage(preferences().language)
const drawing = import('./main.tsx')
// The browser's first formatter takes as long as all of the above: it is made while that is on its way.
new Intl.NumberFormat(preferences().format)

void (async () => {
  const main = await drawing
  await words
  try {
    const found = await begun
    await loadLanguage(preferences().language) // another one, where it was adopted
    await main.start(found)
  } catch (err) {
    if (err instanceof Problem && err.status === 401) return // on the way to the sign-in page
    main.fail(err)
  }
})()
