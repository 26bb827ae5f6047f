import type { components, paths } from './schema'

/** A schema of the API's own document. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name]

export type Path = keyof paths
export type Query = Record<string, string | undefined>

type Method = 'get' | 'post' | 'put' | 'delete'
type Body<R> = R extends { content: { 'application/json': infer J } } ? J : unknown
/** What a route answers when it succeeds. */
export type Answer<P extends Path, M extends Method = 'get'> = paths[P] extends { [K in M]: { responses: infer R } }
  ? R extends { 200: infer S }
    ? Body<S>
    : R extends { 201: infer S }
      ? Body<S>
      : R extends { 202: infer S }
        ? Body<S>
        : unknown
  : never

/** The books that requests speak of. Module state: one page shows one merchant in one mode. */
export interface Scope {
  merchant: string
  live: boolean
}
let scope: Scope = { merchant: '', live: false }
export function setScope(s: Scope) {
  scope = s
}
export function currentScope(): Scope {
  return scope
}
export function scopeHeaders(s: Scope = scope): Record<string, string> {
  return { ...(s.merchant ? { 'Giro-Merchant': s.merchant } : {}), 'Giro-Mode': s.live ? 'live' : 'test' }
}
/** A scope's name in the keys of what was read. */
export function scopeKey(s: Scope): string {
  return s.merchant + (s.live ? '/live' : '/test')
}

/** A refusal, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly param: string,
    readonly requestID: string,
  ) {
    super(detail || title)
  }
}

export interface Result<T> {
  data: T
  /** The query of the next page. */
  next?: Query
  etag?: string
  requestID: string
  replayed: boolean
}

export interface Request {
  query?: Query
  body?: unknown
  /** Idempotency-Key of what changes something. */
  key?: string
  ifMatch?: string
  /** An outcome of the sandbox. */
  simulate?: string
  signal?: AbortSignal
}

/** Fills {names} of a path, in order. */
export function fill(path: string, values: string[] = []): string {
  let n = 0
  return path.replace(/\{[^}]+\}/g, () => encodeURIComponent(values[n++] ?? ''))
}

export function queryText(query: Query | undefined): string {
  const parts: string[] = []
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') parts.push(encodeURIComponent(name).replace(/%5B/g, '[').replace(/%5D/g, ']') + '=' + encodeURIComponent(value))
  }
  return parts.length ? '?' + parts.join('&') : ''
}

/**
 * Numbers beyond what a double holds exactly stay text: money is never rounded
 * on its way to the screen.
 */
export function parse(text: string): unknown {
  return JSON.parse(text, function (_key: string, value: unknown, context?: { source?: string }) {
    if (typeof value === 'number' && !Number.isSafeInteger(value) && context?.source && /^-?\d+$/.test(context.source)) return context.source
    return value
  } as (key: string, value: unknown) => unknown)
}

function nextOf(link: string | null): Query | undefined {
  const m = link?.match(/<([^>]*)>;\s*rel="next"/)
  if (!m) return undefined
  return Object.fromEntries(new URL(m[1]!, location.origin).searchParams)
}

/** Sends a request to giro's own API. Refusals are thrown as Problem. */
export async function send<T>(method: string, url: string, request: Request = {}): Promise<Result<T>> {
  const headers: Record<string, string> = { Accept: 'application/json', ...scopeHeaders() }
  if (request.key) headers['Idempotency-Key'] = request.key
  if (request.ifMatch) headers['If-Match'] = request.ifMatch
  if (request.simulate) headers['Giro-Simulate'] = request.simulate
  if (request.body !== undefined) headers['Content-Type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(url + queryText(request.query), {
      method,
      headers,
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      signal: request.signal,
      credentials: 'same-origin',
    })
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err
    throw new Problem(0, 'offline', '', '', '', '')
  }
  const requestID = response.headers.get('Request-Id') ?? ''
  const text = await response.text()
  if (!response.ok) {
    let p: Partial<Schema<'Problem'>> = {}
    try {
      p = JSON.parse(text) as Schema<'Problem'>
    } catch {
      // A proxy in between answered.
    }
    if (response.status === 401) signedOut()
    throw new Problem(response.status, p.code ?? 'http_' + response.status, p.title ?? response.statusText, p.detail ?? '', p.param ?? '', p.request_id ?? requestID)
  }
  return {
    data: (text === '' ? undefined : parse(text)) as T,
    next: nextOf(response.headers.get('Link')),
    etag: response.headers.get('ETag') ?? undefined,
    requestID,
    replayed: response.headers.get('Idempotent-Replayed') === 'true',
  }
}

export function read<P extends Path>(path: P, values: string[] = [], query?: Query, signal?: AbortSignal): Promise<Result<Answer<P>>> {
  return send<Answer<P>>('GET', fill(path, values), { query, signal })
}

export function post<P extends Path>(path: P, values: string[], body: unknown, key?: string): Promise<Result<Answer<P, 'post'>>> {
  return send<Answer<P, 'post'>>('POST', fill(path, values), { body, key })
}

export function put<P extends Path>(path: P, values: string[], body: unknown, key?: string, ifMatch?: string): Promise<Result<Answer<P, 'put'>>> {
  return send<Answer<P, 'put'>>('PUT', fill(path, values), { body, key, ifMatch })
}

export function remove<P extends Path>(path: P, values: string[]): Promise<Result<Answer<P, 'delete'>>> {
  return send<Answer<P, 'delete'>>('DELETE', fill(path, values))
}

/** Where one signs in, to come back to here. */
export const signInHref = () => '/app/login?next=' + encodeURIComponent(location.pathname + location.search)

/** The session is over: to the sign-in page, unless what stands in a dialog would be lost. */
function signedOut() {
  if (!document.querySelector('dialog[open]')) location.assign(signInHref())
}

/** A text as one word of a shell. */
export const quote = (s: string) => "'" + s.replaceAll("'", `'\\''`) + "'"

/** The same request for a terminal. The key is the reader's own, unless one is given. */
export function asCurl(method: string, path: string, query?: Query, body?: unknown, key = '$GIRO_API_KEY'): string {
  const lines = [`curl ${method === 'GET' ? '-g ' : '-X ' + method + ' -g '}${quote(location.origin + path + queryText(query))}`, `-H "Authorization: Bearer ${key}"`]
  if (method === 'POST' || method === 'PUT') lines.push(`-H "Idempotency-Key: $(uuidgen)"`)
  if (body !== undefined) lines.push(`-H 'Content-Type: application/json'`, `-d ${quote(JSON.stringify(body))}`)
  return lines.join(' \\\n  ')
}
