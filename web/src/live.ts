import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { type Result, type Schema, type Scope, scopeHeaders, scopeKey } from './api/client.ts'

/** One stream of events per browser, merchant and mode: the tab that holds the lock reads it, the others hear it from that one. */

export type Event = Schema<'Event'>
export interface LiveState {
  state: 'connecting' | 'live' | 'paused'
  /** Milliseconds; when the next attempt is made. */
  retryAt: number
}

type Message = { kind: 'event'; event: Event } | { kind: 'state'; state: LiveState } | { kind: 'hello' } | { kind: 'resync' }

const silenceMax = 40_000 // ms; the server sends something every 15 s

let state: LiveState = { state: 'connecting', retryAt: 0 }
const stateListeners = new Set<() => void>()
const eventListeners = new Set<(e: Event) => void>()

export function useLive(): LiveState {
  return useSyncExternalStore(
    (l) => {
      stateListeners.add(l)
      return () => stateListeners.delete(l)
    },
    () => state,
  )
}

/** Calls listen for every event of the stream, in every tab. */
export function onEvent(listen: (e: Event) => void): () => void {
  eventListeners.add(listen)
  return () => eventListeners.delete(listen)
}

function setState(s: LiveState) {
  state = s
  for (const l of stateListeners) l()
}

/** Follows the events of a scope until the returned function is called. */
export function follow(scope: Scope, client: QueryClient): () => void {
  const stop = new AbortController()
  const name = `giro-stream-${scope.merchant}-${scope.live ? 'live' : 'test'}`
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel(name) : undefined
  let last = 0
  let leader = false
  const handle = (m: Message) => {
    if (m.kind === 'event') {
      if (m.event.sequence <= last) return
      last = m.event.sequence
      apply(m.event, scope, client)
      for (const l of eventListeners) l(m.event)
    } else if (m.kind === 'state') {
      setState(m.state)
    } else if (m.kind === 'resync') {
      void client.invalidateQueries()
    } else if (leader) {
      channel?.postMessage({ kind: 'state', state } satisfies Message)
    }
  }
  const tell = (m: Message) => {
    handle(m)
    channel?.postMessage(m)
  }
  if (channel) {
    channel.onmessage = (e: MessageEvent<Message>) => handle(e.data)
    channel.postMessage({ kind: 'hello' } satisfies Message)
  }
  setState({ state: 'connecting', retryAt: 0 })
  const lead = async () => {
    leader = true
    let failures = 0
    while (!stop.signal.aborted) {
      try {
        await read(scope, last, stop.signal, () => {
          failures = 0
          tell({ kind: 'state', state: { state: 'live', retryAt: 0 } })
        }, tell)
      } catch {
        // Said below; what happened meanwhile comes with the next connection.
      }
      if (stop.signal.aborted) return
      failures++
      const wait = Math.min(30_000, 1000 * 2 ** Math.min(failures, 5))
      tell({ kind: 'state', state: { state: 'paused', retryAt: Date.now() + wait } })
      await new Promise((done) => {
        const timer = setTimeout(done, wait)
        stop.signal.addEventListener('abort', () => {
          clearTimeout(timer)
          done(undefined)
        })
      })
    }
  }
  if (navigator.locks) {
    navigator.locks.request(name, { signal: stop.signal }, lead).catch(() => undefined)
  } else {
    void lead()
  }
  return () => {
    stop.abort()
    channel?.close()
  }
}

/** Reads one connection of the stream to its end. */
async function read(scope: Scope, after: number, signal: AbortSignal, opened: () => void, tell: (m: Message) => void): Promise<void> {
  const abort = new AbortController()
  const quit = () => abort.abort()
  signal.addEventListener('abort', quit)
  let watchdog = setTimeout(quit, silenceMax)
  try {
    const response = await fetch('/v1/stream' + (after ? '?after=' + after : ''), { headers: { ...scopeHeaders(scope), Accept: 'text/event-stream' }, signal: abort.signal })
    if (!response.ok || !response.body) throw new Error('stream: ' + response.status)
    opened()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      clearTimeout(watchdog)
      watchdog = setTimeout(quit, silenceMax)
      text += value
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const block = text.slice(0, end)
        text = text.slice(end + 2)
        let type = ''
        let data = ''
        for (const line of block.split('\n')) {
          if (line.startsWith('event: ')) type = line.slice(7)
          else if (line.startsWith('data: ')) data += line.slice(6)
        }
        if (type === 'resync') tell({ kind: 'resync' })
        else if (data) tell({ kind: 'event', event: JSON.parse(data) as Event })
      }
    }
  } finally {
    clearTimeout(watchdog)
    signal.removeEventListener('abort', quit)
  }
}

type Objects = { id: string; object: string; version?: number; charge?: string | null }

const soon = new Map<string, ReturnType<typeof setTimeout>>()

/** Runs at most once per wait for a name. */
function debounce(name: string, wait: number, run: () => void) {
  if (soon.has(name)) return
  soon.set(
    name,
    setTimeout(() => {
      soon.delete(name)
      run()
    }, wait),
  )
}

/** Puts what an event says into the pages that are open. Rows change in place; no row appears or moves. */
function apply(event: Event, scope: Scope, client: QueryClient) {
  const object = (event.data as { object?: Objects }).object
  const sk = scopeKey(scope)
  if (object?.id) {
    const list = `/v1/${object.object}s`
    const one = `${list}/${object.id}`
    const newer = (old: Objects) => (old.version ?? 0) <= (object.version ?? 0)
    client.setQueriesData<Result<Objects>>({ queryKey: [sk, one, ''] }, (old) => (old && newer(old.data) ? { ...old, data: object } : old))
    client.setQueriesData<Result<Objects[]>>({ queryKey: [sk, list] }, (old) => (old && Array.isArray(old.data) && old.data.some((r) => r.id === object.id) ? { ...old, data: old.data.map((r) => (r.id === object.id && newer(r) ? object : r)) } : old))
    const around = () =>
      void client.invalidateQueries({
        predicate: (q) => {
          const url = q.queryKey[1]
          return q.queryKey[0] === sk && typeof url === 'string' && (url === one || url.startsWith(one + '/') || (!!object.charge && (url.startsWith('/v1/charges/' + object.charge) || (url === '/v1/refunds' && String(q.queryKey[2]).includes('charge=' + object.charge)))))
        },
      })
    around()
    debounce(one, 1500, around) // deliveries follow their event
  }
  const sums = ['/v1/balances', '/v1/figures', '/v1/attention', '/v1/ledger/trial_balance', '/v1/accounts', ...['charges', 'refunds', 'payouts', 'transfers'].flatMap((k) => [`/v1/${k}/counts`, `/v1/${k}/histogram`])]
  debounce('sums', 1000, () => {
    void client.invalidateQueries({ predicate: (q) => q.queryKey[0] === sk && typeof q.queryKey[1] === 'string' && q.isActive() && sums.some((s) => (q.queryKey[1] as string).startsWith(s)) })
  })
}
