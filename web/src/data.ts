import { keepPreviousData, QueryClient, useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { currentScope, type Path, Problem, type Query, queryText, quote, read, type Schema, scopeKey } from './api/client.ts'
import { askKey, pageSizes } from './asks.ts'
import { useLive } from './live.ts'

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // Where giro is, is often this machine: without a network it answers all the same, and where it does not, that is said.
      networkMode: 'always',
      retry: (count, err) => count < 2 && err instanceof Problem && (err.status === 0 || err.status >= 502),
      retryDelay: (n) => 500 * 2 ** n,
      refetchOnWindowFocus: true,
    },
  },
})

interface Options {
  enabled?: boolean
  /** Coming back to the tab reads nothing again: what is new is counted, and rows stay where they are. */
  still?: boolean
  /** The page before stays on the screen while the next one comes. */
  keep?: boolean
  /** Milliseconds; for what no event tells of. A function decides by what was answered last. */
  poll?: number | ((answer: unknown) => number | false)
}

/** Reads a route of the API; polls while the stream is paused. */
export function useRead<P extends Path>(path: P, values: string[] = [], query?: Query, options: Options = {}) {
  const paused = useLive().state === 'paused'
  return useQuery({
    queryKey: askKey(scopeKey(currentScope()), path, values, query),
    queryFn: ({ signal }) => read(path, values, query, signal),
    enabled: options.enabled ?? true,
    refetchOnWindowFocus: !options.still,
    placeholderData: options.keep ? (keepPreviousData as unknown as undefined) : undefined,
    refetchInterval: (q) => (typeof options.poll === 'function' ? options.poll(q.state.data?.data) : options.poll) || (paused && 10_000),
  })
}

/** Reads again what begins with a path, after something was changed by hand. */
export function changed(...paths: string[]) {
  const sk = scopeKey(currentScope())
  void client.invalidateQueries({ predicate: (q) => q.queryKey[0] === sk && paths.some((p) => String(q.queryKey[1]).startsWith(p)) })
}

/** The request behind the page that is open, for "copy as cURL". */
interface PageRequest {
  method: string
  path: string
  query?: Query
  /** What it answered. */
  data?: unknown
  /** The same for giro's command line. */
  command?: string
}
let pageRequest: PageRequest | undefined

/** Says what the page is made of; nothing where another part of the page says it. */
export function usePageRequest(r: PageRequest | undefined) {
  const mine = r !== undefined
  useEffect(() => {
    if (r) pageRequest = r
  })
  useEffect(
    () => () => {
      if (mine) pageRequest = undefined
    },
    [],
  )
}

/** The same request for giro's command line: by its own command, unless that would ask for something else. */
export function asCommand({ path, query, command }: PageRequest): string {
  const { limit, ...more } = query ?? {}
  const usual = limit === undefined || limit === String(pageSizes[0])
  const text = command && usual && Object.values(more).every((v) => v === undefined) ? command : `giro api get ${quote(path + queryText(query))}`
  return text + (currentScope().live ? ' --live' : '')
}

export function currentRequest(): PageRequest | undefined {
  return pageRequest
}

export type Account = Schema<'Account'>

/** A reader of one object of many: what all who call in the same moment want is asked for with one request. */
function gathered<T>(path: Path, idOf: (row: T) => string, rowsOf = (answer: unknown) => answer as T[]): (id: string) => Promise<T | null> {
  const awaited = new Map<string, { ids: Set<string>; answer: Promise<Map<string, T>> }>()
  return async (id) => {
    const scope = scopeKey(currentScope())
    const asked = awaited.get(scope)
    if (asked && asked.ids.size < 100) {
      asked.ids.add(id)
      return (await asked.answer).get(id) ?? null
    }
    const ids = new Set([id])
    const answer = new Promise((moment) => setTimeout(moment)).then(async () => {
      awaited.delete(scope)
      const { data } = await read(path as '/v1/customers', [], { ids: [...ids].join(',') })
      return new Map(rowsOf(data).map((row) => [idOf(row), row]))
    })
    awaited.set(scope, { ids, answer })
    return (await answer).get(id) ?? null
  }
}

const customerOf = gathered<Schema<'Customer'>>('/v1/customers', (c) => c.id)
const activityOf = gathered<Schema<'CustomerActivity'>>('/v1/customers/activity', (a) => a.customer)
const accountOf = gathered<Account>('/v1/accounts', (a) => a.id, (answer) => (answer as Schema<'AccountsSnapshot'>).accounts)
const trendOf = gathered<Schema<'AccountTrend'>>('/v1/accounts/trend', (a) => a.account)

/** A customer by id, for a row of a list. */
export function useCustomer(id: string): Schema<'Customer'> | undefined {
  return useQuery({ queryKey: [scopeKey(currentScope()), '/v1/customers/' + id, 'row'], queryFn: () => customerOf(id), staleTime: 60_000 }).data ?? undefined
}

/** What a customer moved; undefined until it is known. */
export function useActivity(id: string): Schema<'CustomerActivity'> | undefined {
  return useQuery({ queryKey: [scopeKey(currentScope()), '/v1/customers/activity', id], queryFn: () => activityOf(id), staleTime: 30_000 }).data ?? undefined
}

/** An account by id, for its name in a row: what its balance does meanwhile is not followed. */
export function useAccount(id: string | undefined): Account | undefined {
  return useQuery({ queryKey: [scopeKey(currentScope()), 'account', id], queryFn: () => accountOf(id!), staleTime: 60_000, enabled: id !== undefined }).data ?? undefined
}

/** An account's balances of the last 30 days. */
export function useTrend(id: string | undefined): Schema<'AccountTrend'> | undefined {
  return useQuery({ queryKey: [scopeKey(currentScope()), '/v1/accounts/trend', id], queryFn: () => trendOf(id!), staleTime: 60_000, enabled: id !== undefined }).data ?? undefined
}

/** Accounts by id, clearing and reserved ones included. */
export function useAccounts(ids: string[]): Map<string, Account> {
  const wanted = [...new Set(ids)].sort().slice(0, 100)
  const q = useRead('/v1/accounts', [], { ids: wanted.join(',') }, { enabled: wanted.length > 0, keep: true })
  const list = (q.data?.data as Schema<'AccountsSnapshot'> | undefined)?.accounts ?? []
  return new Map(list.map((a) => [a.id, a]))
}
