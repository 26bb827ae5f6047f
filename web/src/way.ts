import { useState } from 'react'
import { currentScope, type Query, scopeKey, send } from './api/client.ts'
import type { Search } from './url.ts'

/** The list that an object's page was opened from: where its neighbours are, and the way back. */
export interface Way {
  /** The list's page and its query. */
  page: string
  search: Search
  /** The pages of its rows, in their order. */
  rows: string[]
  /** The route of the rows; the queries of the pages before and after them, where there are some. */
  url: string
  before?: Query
  after?: Query
}

/** Ways are told apart by the pages that they lead along: /payments/… */
function nameOf(family: string): string {
  return `giro.way.${scopeKey(currentScope())}${family}`
}

/** The page of an object that was last looked at: its row has the focus when the list is seen again. */
let left = ''
export function leaveTo(href: string) {
  left = href
}

/** Gives the focus back to the row whose page was left, and brings it into sight. */
export function returnTo(rows: ParentNode | null) {
  if (!left || document.activeElement !== document.body) return
  const row = [...(rows?.querySelectorAll<HTMLAnchorElement>('a[data-row]') ?? [])].find((a) => a.pathname.endsWith(left))
  if (!row) return
  left = ''
  row.focus({ preventScroll: true })
  const { top, bottom } = row.getBoundingClientRect()
  if (top < 120 || bottom > innerHeight - 40) row.scrollIntoView({ block: 'center' })
}

const familyOf = (href: string) => href.slice(0, href.lastIndexOf('/'))

/** Keeps the way to a row's page. Storage may be closed to us: then pages stand alone. */
export function keepWay(way: Way) {
  try {
    if (way.rows[0] && !way.rows[0].includes('?')) sessionStorage.setItem(nameOf(familyOf(way.rows[0])), JSON.stringify(way))
  } catch {
    // As above.
  }
}

function readWay(href: string): Way | undefined {
  try {
    const way = JSON.parse(sessionStorage.getItem(nameOf(familyOf(href))) ?? 'null') as Way | null
    return way?.rows.includes(href) ? way : undefined
  } catch {
    return undefined
  }
}

/** Where an object's page stands among those of the list it was opened from. */
export function useWay(href: string) {
  const [way] = useState(() => readWay(href))
  if (!way) return undefined
  const at = way.rows.indexOf(href)
  /** The page beside it; the rows of the list's next page are fetched at its end. */
  const beside = async (by: -1 | 1): Promise<string | undefined> => {
    const near = way.rows[at + by]
    const query = by < 0 ? way.before : way.after
    if (near || !query) return near
    const page = await send<{ id: string }[]>('GET', way.url, { query })
    const more = page.data.map((o) => familyOf(href) + '/' + o.id)
    keepWay(by < 0 ? { ...way, rows: [...more, ...way.rows], before: undefined } : { ...way, rows: [...way.rows, ...more], after: page.next })
    return by < 0 ? more.at(-1) : more[0]
  }
  return { page: way.page, search: way.search, beside, first: at === 0 && !way.before, last: at === way.rows.length - 1 && !way.after }
}
