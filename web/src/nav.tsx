import { useLocation, useNavigate } from '@tanstack/react-router'
import { type AnchorHTMLAttributes, type ReactNode, useContext } from 'react'
import { placed } from './place.ts'
import { PlaceContext } from './session.ts'
import { base, parseSearch, type Search, stringifySearch } from './url.ts'

/** The two that every page has: which merchant, and test or live. */
const kept = ['merchant', 'mode']

function withKept(now: Search, search: Search | undefined): Search {
  const out: Search = {}
  for (const name of kept) if (now[name]) out[name] = now[name]
  return { ...out, ...search }
}

/** A link inside the dashboard: a real one, with merchant and mode kept. */
export function A({ href, search, children, onClick, ...rest }: { href: string; search?: Search; children?: ReactNode } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'>) {
  // A page has many links: where it stands is all of its URL that they need to hear of.
  const place = useContext(PlaceContext)
  const navigate = useNavigate()
  const [path, query] = href.split('?') as [string, string | undefined]
  const all = { ...(place && placed({}, place)), ...(query ? parseSearch(query) : {}), ...search }
  return (
    <a
      href={base + path + stringifySearch(all)}
      onClick={(e) => {
        onClick?.(e)
        if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || (rest.target && rest.target !== '_self')) return
        e.preventDefault()
        void navigate({ to: path as never, search: all as never })
      }}
      {...rest}
    >
      {children}
    </a>
  )
}

/** Goes to a page of the dashboard, with merchant and mode kept. */
export function useGo(): (href: string, search?: Search, replace?: boolean) => void {
  const navigate = useNavigate()
  const now = useLocation().search as Search
  return (href, search, replace) => {
    const [path, query] = href.split('?') as [string, string | undefined]
    void navigate({ to: path as never, search: withKept(now, { ...(query ? parseSearch(query) : {}), ...search }) as never, replace })
  }
}

/** The page's query and how to change it. An empty value removes a name. */
export function useSearch(): [Search, (change: Record<string, string | undefined>, replace?: boolean) => void] {
  const location = useLocation()
  const navigate = useNavigate()
  const now = location.search as Search
  return [
    now,
    (change, replace = false) => {
      const next: Search = {}
      for (const [name, value] of Object.entries({ ...now, ...change })) if (value !== undefined && value !== '') next[name] = value
      void navigate({ to: location.pathname as never, search: next as never, replace, resetScroll: false })
    },
  ]
}

/** Where the page of an object is, by the prefix of its id; undefined where it has none. */
export function pageOf(id: string): string | undefined {
  const at: Record<string, string> = {
    ch: '/payments/',
    re: '/refunds/',
    po: '/payouts/',
    tr: '/transfers/',
    cus: '/customers/',
    acct: '/ledger/accounts/',
    ltx: '/ledger/transactions/',
    evt: '/developers/events/',
    we: '/developers/webhooks/',
  }
  // A request's id is a bare UUID.
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)) return '/developers/logs/' + id
  const m = id.match(/^([a-z]+)_[0-7][0-9a-hjkmnp-tv-z]{25}$/)
  const base = m && at[m[1]!]
  return base ? base + id : undefined
}
