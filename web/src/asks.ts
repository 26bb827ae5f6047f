// What pages ask the API first: written apart from the pages, so that it can be
// asked while their script is still on its way.
import { fill, type Path, type Query, queryText } from './api/client.ts'
import type { Key } from './i18n/index.ts'
import { allows, type Place } from './place.ts'
import { preferences } from './preferences.ts'
import type { Search } from './url.ts'
import { clockOf, instantOf } from './zone.ts'

/** One thing that a list can be narrowed by. */
export interface Filter {
  id: string
  kind: 'choice' | 'text' | 'currency' | 'created' | 'amount' | 'took' | 'metadata'
  label: Key
  /** What its field takes, where the name does not say it. */
  hint?: Key
  /** The API's parameter; created and amount have several. */
  param: string
  options?: readonly string[]
  /** Of options that the catalogues cannot know. */
  names?: Record<string, string>
  /** One value at a time. */
  single?: boolean
  /** The group of the options' labels in the catalogue. */
  group?: string
}

/** The stretches that are counted back from now. */
export const ranges = ['24h', '7d', '30d', '90d'] as const
/** How long the relative ranges are. */
export const hours: Record<string, number> = { '24h': 24, '7d': 168, '30d': 720, '90d': 2160 }

/** The beginning of a relative range in Unix seconds; on the hour, so that pages of one list agree about it. */
export function rangeStart(range: string): number {
  return Math.floor(Date.now() / 3_600_000 - (hours[range] ?? 0)) * 3600
}

/** The bounds that a filter of numbers has. */
export function boundsOf(f: Filter): string[] {
  return f.kind === 'took' ? ['gte', 'gt', 'lte'] : ['gte', 'lte']
}

/** What of the page's query goes to the API. */
export function apiQuery(filters: Filter[], search: Search, fixed?: Query): Query {
  const q: Query = {}
  for (const f of filters) {
    if (f.kind === 'created') {
      if (search.range && hours[search.range]) q[f.param + '[gte]'] = String(rangeStart(search.range))
      for (const op of ['gte', 'lte', 'gt', 'lt']) if (search[`${f.param}[${op}]`]) q[`${f.param}[${op}]`] = search[`${f.param}[${op}]`]
    } else if (f.kind === 'amount' || f.kind === 'took') {
      for (const op of boundsOf(f)) if (search[`${f.param}[${op}]`]) q[`${f.param}[${op}]`] = search[`${f.param}[${op}]`]
    } else if (f.kind === 'metadata') {
      for (const name of Object.keys(search)) if (name.startsWith('metadata[')) q[name] = search[name]
    } else if (search[f.param]) q[f.param] = search[f.param]
  }
  return { ...q, ...fixed }
}

/** The parameters that say at which page of a list one stands. */
export const pagers = ['cursor', 'before']

/** How many rows a page of a list may have; the first is usual. */
export const pageSizes = [25, 50, 100]

/** How many rows the URL asks for. */
export function sizeOf(search: Search): number {
  return pageSizes.find((n) => String(n) === search.size) ?? pageSizes[0]!
}

/** The request for one page of a list. A place is the name and the value of a parameter. */
export function listQuery(filters: Filter[], search: Search, { fixed, size = sizeOf(search), places }: { fixed?: Query; size?: number; places: [string, string | undefined][] }): Query {
  return { ...apiQuery(filters, search, fixed), limit: String(size), ...Object.fromEntries(places.filter(([, value]) => value)) }
}

export type KindName = 'charges' | 'refunds' | 'payouts' | 'transfers'
export const statuses: Record<KindName, readonly string[]> = {
  charges: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'refunded'],
  refunds: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'returned'],
  payouts: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'returned', 'refunded'],
  transfers: ['succeeded', 'pending', 'canceled', 'refunded'],
}

/** Methods of provider bank, as far as the catalogues name them. */
const methods = { charges: ['pix', 'boleto', 'spei', 'transfer'], payouts: ['pix', 'ted', 'spei', 'pse', 'sepa', 'ach', 'transfer'] }

/** What a list of movements can be narrowed by. */
export function movementFilters(kind: KindName): Filter[] {
  return [
    { id: 'status', kind: 'choice', label: 'col.status', param: 'status', options: statuses[kind], group: 'status' },
    { id: 'amount', kind: 'amount', label: 'col.amount', param: 'amount' },
    { id: 'created', kind: 'created', label: 'col.created', param: 'created' },
    { id: 'currency', kind: 'currency', label: 'col.currency', param: 'currency' },
    kind === 'payouts' ? { id: 'references', kind: 'text', label: 'col.reference', hint: 'filter.several', param: 'references' } : { id: 'reference', kind: 'text', label: 'col.reference', param: 'reference' },
    ...(kind === 'refunds' ? [{ id: 'charge', kind: 'text', label: 'col.charge', param: 'charge' } as Filter] : []),
    ...(kind === 'charges' || kind === 'payouts' ? [{ id: 'customer', kind: 'text', label: 'col.customer', param: 'customer' } as Filter] : []),
    ...(kind === 'charges' || kind === 'payouts'
      ? [
          { id: 'provider', kind: 'choice', label: 'filter.provider', param: 'provider', options: ['card', 'mobile', 'bank'].slice(kind === 'payouts' ? 1 : 0), group: 'provider' } as Filter,
          { id: 'method', kind: 'choice', label: 'col.method', param: 'method', options: methods[kind], group: 'method' } as Filter,
        ]
      : []),
    ...(kind === 'payouts' ? [{ id: 'document', kind: 'text', label: 'filter.document', param: 'document' } as Filter] : []),
    ...(kind === 'transfers' ? [] : [{ id: 'rail', kind: 'text', label: 'col.rail', param: 'rail' } as Filter, { id: 'failure_code', kind: 'text', label: 'col.failure', param: 'failure_code' } as Filter]),
    { id: 'metadata', kind: 'metadata', label: 'col.metadata', param: 'metadata' },
  ]
}

/** What the figures are asked for: the URL says it, so that a link shows the same. */
export function figuresQuery(search: Search): Query {
  const zone = preferences().timeZone
  const q: Query = { time_zone: zone, compare: search.compare === 'no' ? undefined : 'true', currency: search.currency }
  if (search.from || search.to) {
    if (search.from) q.from = seconds(instantOf(search.from))
    if (search.to) q.to = seconds(instantOf(search.to + 'T23:59:59'))
  } else if (search.range === '24h') q.from = String(rangeStart(search.range))
  else if (search.range && hours[search.range]) {
    // Whole days of the reader, today included.
    const today = clockOf(Date.now()).slice(0, 10)
    q.from = String(Math.floor((instantOf(today) - (hours[search.range]! / 24 - 1) * 86_400_000) / 3_600_000) * 3600)
  }
  return q
}

/** Milliseconds as the Unix seconds of a query; nothing where they are no instant. */
const seconds = (ms: number) => (Number.isNaN(ms) ? undefined : String(Math.floor(ms / 1000)))

const day = 86_400
// The API's bound of a stretch, less a day that the clocks may be put forward in.
const longest = 399 * day

/** The stretch of creation that the list's filter chooses, in Unix seconds; the end is not in it. */
export function chosenOf(search: Search): { from?: number; to?: number } {
  if (search.range) return { from: rangeStart(search.range) }
  const seconds = (v: string | undefined) => (v === undefined ? undefined : /^\d+$/.test(v) ? Number(v) : Math.floor(Date.parse(v) / 1000) || undefined)
  const after = (n: number | undefined) => (n === undefined ? undefined : n + 1)
  return { from: seconds(search['created[gte]']) ?? after(seconds(search['created[gt]'])), to: seconds(search['created[lt]']) ?? after(seconds(search['created[lte]'])) }
}

/** The strip's request: the last 30 days, or the whole of a longer stretch that is chosen. */
export function stripQuery(search: Search): Query {
  const { from } = chosenOf(search)
  const now = Math.floor(Date.now() / 1000)
  const query: Query = { time_zone: preferences().timeZone, interval: 'day', currency: search.currency }
  if (from && from < now - 29 * day) {
    query.from = String(from)
    if (now - from > longest) query.to = String(from + longest)
  }
  return query
}

/** What the tabs above a list are counted with: its own filters, but for the status. */
export function countsQuery(filters: Filter[], search: Search): Query {
  const { status: _status, ...rest } = apiQuery(filters, search)
  return rest
}

/** The figures of webhooks in the last 24 hours, of one endpoint or of all. */
export function webhooksQuery(endpoint?: string): Query {
  return { endpoint, time_zone: preferences().timeZone }
}

/** The newest events beside Home's figures. */
export const activityQuery: Query = { limit: '12' }

/** One request of a page. */
export interface Ask {
  path: Path
  query?: Query
}

/** What a page asks for before anything can be seen of it; of pages that are not opened first, nothing. */
export function firstAsks(path: string, search: Search, place: Place): Ask[] {
  const kind = ({ '/payments': 'charges', '/refunds': 'refunds', '/payouts': 'payouts', '/transfers': 'transfers' } as Record<string, KindName | undefined>)[path]
  if (path === '/') {
    return [
      { path: '/v1/figures', query: figuresQuery(search) },
      { path: '/v1/attention' },
      ...(allows(place, 'balances.read') ? [{ path: '/v1/balances' } as Ask, { path: '/v1/ledger/verification' } as Ask] : []),
      ...(allows(place, 'developers.read') ? [{ path: '/v1/webhook_endpoints/figures', query: webhooksQuery() } as Ask] : []),
      { path: '/v1/events', query: activityQuery },
    ]
  }
  if (!kind) return []
  const filters = movementFilters(kind)
  return [
    { path: `/v1/${kind}`, query: listQuery(filters, search, { places: pagers.map((name) => [name, search[name]]) }) },
    { path: `/v1/${kind}/counts`, query: countsQuery(filters, search) },
    { path: `/v1/${kind}/histogram`, query: stripQuery(search) },
    { path: '/v1/views', query: { page: kind } },
  ]
}

/** The name under which an answer is kept. */
export function askKey(scope: string, path: Path, values: string[] = [], query?: Query): string[] {
  return [scope, fill(path, values), queryText(query)]
}
