import { useRef, useState } from 'react'
import { type Action, actionsOf, type Movement } from './actions.tsx'
import { fill, type Path, type Query, send } from './api/client.ts'
import type { KindName } from './asks.ts'
import { changed } from './data.ts'
import { money, number } from './format.ts'
import { type Key, t, tn } from './i18n/index.ts'
import type { Permission } from './place.ts'
import { useMay, usePlace } from './session.ts'
import { Dialog } from './ui/dialog.tsx'
import { Failure, Field, ID } from './ui/parts.tsx'

/** Every object that a list's filters fit, not only those on the page. */
export interface Matching {
  count: number
  /** The list's query, without a place in it. */
  query: Query
}

/** Acts that need nothing but the movement itself, so that many can be done at once; a refund gives back what is left. */
const acts = ['refund', 'retry', 'credit_back', 'post', 'void', 'release', 'confirm', 'cancel'] as const
type Act = (typeof acts)[number] | 'metadata'

const many = 5000
const atOnce = 4

interface Chosen {
  act: Act
  label: Key
  danger: boolean
}

/** What can be done to the rows that are chosen. */
export function MovementBulk({ kind, rows, matching, clear }: { kind: KindName; rows: Movement[]; matching?: Matching; clear: () => void }) {
  const may = useMay()
  const [chosen, setChosen] = useState<Chosen>()
  const open = new Map<Act, Chosen>()
  for (const m of rows) for (const a of actionsOf(m)) if ((acts as readonly string[]).includes(a.id) && may(a.may)) open.set(a.id as Act, { act: a.id as Act, label: a.label, danger: !!a.danger })
  return (
    <>
      {[...open.values()].map((c) => (
        <button key={c.act} type="button" className={c.danger ? 'danger-text' : ''} onClick={() => setChosen(c)}>
          {t(c.label)}…
        </button>
      ))}
      {may(`${kind}.write` as Permission) && (
        <button type="button" onClick={() => setChosen({ act: 'metadata', label: 'bulk.metadata', danger: false })}>
          {t('bulk.metadata')}…
        </button>
      )}
      {chosen && <BulkDialog kind={kind} chosen={chosen} rows={rows} matching={matching} onClose={(done) => {
        setChosen(undefined)
        if (done) clear()
      }} />}
    </>
  )
}

/** Sums of amounts per currency; currencies are never added up. */
function amounts(list: Movement[], of: (m: Movement) => number): string {
  const sums = new Map<string, bigint>()
  for (const m of list) sums.set(m.currency, (sums.get(m.currency) ?? 0n) + BigInt(of(m)))
  return [...sums].map(([currency, sum]) => money(String(sum), currency)).join(' + ')
}

interface Result {
  id: string
  error: unknown
}

function BulkDialog({ kind, chosen, rows, matching, onClose }: { kind: KindName; chosen: Chosen; rows: Movement[]; matching?: Matching; onClose: (done: boolean) => void }) {
  const { live } = usePlace()
  // One key per dialog and object: trying again does nothing twice.
  const [key] = useState(() => crypto.randomUUID())
  const [list, setList] = useState(matching ? undefined : rows)
  const [gathered, setGathered] = useState(0)
  const [name, setName] = useState('')
  const [value, setValue] = useState('')
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<unknown>()
  const [done, setDone] = useState(0)
  const [refused, setRefused] = useState<Result[]>([])
  const [state, setState] = useState<'asking' | 'gathering' | 'running' | 'over'>('asking')
  const stop = useRef(false)

  const metadata = chosen.act === 'metadata'
  const actionOf = (m: Movement): Action<Movement> | undefined => actionsOf(m).find((a) => a.id === chosen.act)
  const fit = list?.filter((m) => metadata || actionOf(m))
  const count = fit ? fit.length : matching!.count
  const left = list ? list.length - count : 0
  const tooMany = !list && matching!.count > many
  const ask = live || count > 100
  const bad = tooMany || count === 0 || (metadata && !name.trim())

  /** Reads all that the filters fit, so that the number which is typed is the number which is done. */
  const gather = async () => {
    setState('gathering')
    setError(undefined)
    try {
      const all: Movement[] = []
      for (let query: Query | undefined = { ...matching!.query, limit: '100' }; query && all.length <= many && !stop.current; ) {
        const page: { data: Movement[]; next?: Query } = await send<Movement[]>('GET', `/v1/${kind}`, { query })
        all.push(...page.data)
        setGathered(all.length)
        query = page.next
      }
      setList(all)
      setTyped('')
    } catch (err) {
      setError(err)
    }
    setState('asking')
  }
  const one = async (m: Movement) => {
    if (metadata) {
      const changedTo = { ...(m.metadata as Record<string, string>), [name.trim()]: value }
      await send('PUT', `/v1/${kind}/${m.id}`, { body: { metadata: changedTo }, key: `${key}-${m.id}`, ifMatch: `"${m.version}"` })
      return
    }
    const a = actionOf(m)!
    await send(a.method ?? 'POST', fill(a.path as Path, a.values(m)), { body: a.body?.(m, { text: {}, amount: a.amount?.(m).max }), key: `${key}-${m.id}` })
  }
  const run = async () => {
    setState('running')
    setError(undefined)
    setRefused([])
    setDone(0)
    stop.current = false
    const queue = [...fit!]
    const worker = async () => {
      for (let m = queue.shift(); m && !stop.current; m = queue.shift()) {
        const id = m.id
        try {
          await one(m)
        } catch (err) {
          setRefused((x) => [...x, { id, error: err }])
        }
        setDone((n) => n + 1)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    changed(`/v1/${kind}`, '/v1/refunds', '/v1/balances')
    setState('over')
  }
  const busy = state === 'gathering' || state === 'running'
  return (
    <Dialog
      title={t(chosen.label)}
      onClose={() => {
        stop.current = true
        onClose(state === 'over')
      }}
    >
      <form
        onSubmit={(e) => {
          e.preventDefault()
          if (busy || bad) return
          if (!list) void gather()
          else if (!ask || typed.trim() === String(count)) void run()
        }}
      >
        {state === 'over' || state === 'running' ? (
          <>
            <p aria-live="polite">{t('bulk.progress', { done: number(done), n: number(count) })}</p>
            <progress max={count} value={done} aria-label={t(chosen.label)} />
            {refused.length > 0 && (
              <>
                <p className="bad">{tn('bulk.refused', refused.length)}</p>
                <ul className="plain-list refusals">
                  {refused.slice(0, 50).map((r) => (
                    <li key={r.id}>
                      <ID value={r.id} /> {r.error instanceof Error ? r.error.message : String(r.error)}
                    </li>
                  ))}
                </ul>
              </>
            )}
          </>
        ) : (
          <>
            {metadata && (
              <>
                <Field label={t('metadata.key')}>{(id) => <input id={id} value={name} maxLength={40} autoComplete="off" onChange={(e) => setName(e.target.value)} />}</Field>
                <Field label={t('metadata.value')}>{(id) => <input id={id} value={value} maxLength={500} autoComplete="off" onChange={(e) => setValue(e.target.value)} />}</Field>
              </>
            )}
            <ul className="effects" aria-label={t('effects')}>
              <li>
                {tn('bulk.objects', count, { n: number(count) })}
                {fit && fit.length > 0 && ': ' + amounts(fit, (m) => actionOf(m)?.amount?.(m).max ?? m.amount)}
              </li>
              {left > 0 && <li>{tn('bulk.left', left)}</li>}
              {chosen.act === 'refund' && <li>{t('bulk.refund')}</li>}
              {metadata && <li>{t('effect.describe')}</li>}
            </ul>
            {tooMany && <p className="field-error">{t('bulk.too_many', { n: number(many) })}</p>}
            {state === 'gathering' && <p aria-live="polite">{t('bulk.progress', { done: number(gathered), n: number(count) })}</p>}
            {list && ask && count > 0 && (
              <Field label={t('type_count', { n: count })} hint={live ? t('live_money') : undefined}>
                {(id, d) => <input id={id} aria-describedby={d} inputMode="numeric" autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />}
              </Field>
            )}
          </>
        )}
        {error !== undefined && <Failure error={error} />}
        <footer className="dialog-foot">
          <span className="grow" />
          {state === 'over' ? (
            <button key="close" type="button" className="primary" onClick={() => onClose(true)}>
              {t('close')}
            </button>
          ) : state === 'running' ? (
            <button key="stop" type="button" onClick={() => (stop.current = true)}>
              {t('bulk.stop')}
            </button>
          ) : (
            <>
              <button key="no" type="button" onClick={() => onClose(false)}>
                {t('not_now')}
              </button>
              <button key="go" type="submit" className={chosen.danger ? 'danger' : 'primary'} disabled={busy || bad || (list !== undefined && ask && typed.trim() !== String(count))}>
                {busy ? t('working') : list ? `${t(chosen.label)} (${number(count)})` : t('bulk.look')}
              </button>
            </>
          )}
        </footer>
      </form>
    </Dialog>
  )
}
