import { type ReactNode, useState } from 'react'
import { asCurl, fill, type Path, Problem, type Schema, send } from './api/client.ts'
import { changed } from './data.ts'
import { amountText, money, parseAmount } from './format.ts'
import { type Key, t } from './i18n/index.ts'
import type { Permission } from './place.ts'
import { usePlace } from './session.ts'
import { Dialog } from './ui/dialog.tsx'
import { copy, Failure, Field, toast } from './ui/parts.tsx'

export type Charge = Schema<'Charge'>
export type Refund = Schema<'Refund'>
export type Payout = Schema<'Payout'>
export type Transfer = Schema<'Transfer'>
export type Movement = Charge | Refund | Payout | Transfer
/** What some kind of movement has, whichever this one is. */
export type AnyMovement = Partial<Omit<Charge, 'object' | 'id'> & Omit<Refund, 'object' | 'id'> & Omit<Payout, 'object' | 'id'> & Omit<Transfer, 'object' | 'id'>>

/** What the fields of a dialog hold. */
export interface Values {
  /** Minor units; undefined where the field does not hold an amount. */
  amount?: number
  text: Record<string, string>
}

/** Something that can be done to an object, said before it happens. */
export interface Action<T> {
  id: string
  label: Key
  may: Permission
  when: (o: T) => boolean
  danger?: boolean
  /** Changes what is written about an object, and nothing else. */
  words?: boolean
  key?: string
  /** An amount that is asked for, at most this much. */
  amount?: (o: T) => { max: number; currency: string }
  texts?: { name: string; label: Key; hint?: Key; value?: (o: T) => string; required?: boolean }[]
  /** What will be true afterwards. */
  effect: (o: T, v: Values) => string[]
  method?: 'POST' | 'PUT' | 'DELETE'
  path: Path
  values: (o: T) => string[]
  body?: (o: T, v: Values) => unknown
  done: Key
  /** How many objects it touches; above 100 the number has to be typed. */
  count?: number
  /** Paths whose answers are read again. */
  touches?: string[]
  then?: (answer: unknown) => void
}

const left = (c: Charge) => c.amount_captured - c.amount_refunded
/** What is left after an act, or that nothing is. */
const rest = (some: 'effect.refund_left' | 'effect.capture_left', none: 'effect.refund_all' | 'effect.capture_all', amount: number, currency: string) => (amount > 0 ? t(some, { left: money(amount, currency) }) : t(none))
/** What becomes of money that is not moved after all: the payer's stays with the payer, the merchant's own is free again. */
const letGo = (m: Movement) => t(m.object === 'charge' ? 'effect.not_collected' : 'effect.release', { amount: money(m.amount, m.currency) })
const open = (m: Movement) => m.status === 'pending' || m.status === 'onhold'
const manual = (m: Movement) => m.rail === 'manual' && open(m)

export function actionsOf(m: Movement): Action<Movement>[] {
  const kind = (m.object + 's') as 'charges' | 'refunds' | 'payouts' | 'transfers'
  const touches = [`/v1/${kind}`, '/v1/balances']
  const write: Permission = `${kind}.write`
  const verb = (name: string) => `/v1/${kind}/{id}/${name}` as Path
  const id = (o: Movement) => [o.id]
  const all: Action<Movement>[] = []
  const add = (a: Omit<Action<Movement>, 'values' | 'touches'> & Partial<Pick<Action<Movement>, 'values' | 'touches'>>) => all.push({ values: id, touches, ...a })

  if (m.object === 'charge') {
    add({
      id: 'refund', label: 'action.refund', may: 'refunds.write', key: 'R', when: (o) => left(o as Charge) > 0,
      amount: (o) => ({ max: left(o as Charge), currency: o.currency }),
      texts: [{ name: 'reason', label: 'field.reason' }],
      effect: (o, v) => [t('effect.refund', { amount: money(v.amount ?? 0, o.currency) }), rest('effect.refund_left', 'effect.refund_all', left(o as Charge) - (v.amount ?? 0), o.currency), t('effect.refund_reserve', { amount: money(v.amount ?? 0, o.currency) })],
      path: '/v1/refunds', values: () => [],
      body: (o, v) => ({ charge: o.id, amount: v.amount, ...(v.text.reason ? { reason: v.text.reason } : {}) }),
      done: 'done.refund', touches: [...touches, '/v1/refunds'],
    })
    add({
      id: 'capture', label: 'action.capture', may: write, key: 'C', when: (o) => o.status === 'pending' && o.provider === 'card' && o.amount_captured < o.amount && !o.in_doubt,
      amount: (o) => ({ max: o.amount - o.amount_captured, currency: o.currency }),
      effect: (o, v) => [t('effect.capture', { amount: money(v.amount ?? 0, o.currency) }), rest('effect.capture_left', 'effect.capture_all', o.amount - o.amount_captured - (v.amount ?? 0), o.currency)],
      path: verb('capture'), body: (_, v) => ({ amount: v.amount }), done: 'done.capture',
    })
  }
  if (m.object === 'payout') {
    add({
      id: 'retry', label: 'action.retry', may: write, when: (o) => ['failed', 'canceled', 'returned', 'refunded'].includes(o.status),
      texts: [{ name: 'reference', label: 'field.reference', hint: 'field.reference_retry' }],
      effect: (o) => [t('effect.retry', { amount: money(o.amount, o.currency) }), t('effect.reserve', { amount: money(o.amount, o.currency) })],
      path: verb('retry'), body: (_, v) => (v.text.reference ? { reference: v.text.reference } : {}), done: 'done.retry',
    })
    add({
      id: 'credit_back', label: 'action.credit_back', may: 'movements.decide', when: (o) => o.status === 'returned',
      effect: (o) => [t('effect.credit_back', { amount: money(o.amount, o.currency) })],
      path: verb('credit_back'), body: () => ({}), done: 'done.credit_back',
    })
  }
  if (m.object === 'transfer') {
    add({
      id: 'post', label: 'action.post', may: write, when: (o) => o.status === 'pending',
      effect: (o) => [t('effect.post', { amount: money(o.amount, o.currency) })], path: verb('post'), body: () => ({}), done: 'done.post',
    })
    add({
      id: 'void', label: 'action.void', may: write, danger: true, when: (o) => o.status === 'pending',
      effect: (o) => [t('effect.release', { amount: money(o.amount, o.currency) })], path: verb('void'), body: () => ({}), done: 'done.cancel',
    })
    add({
      id: 'reverse', label: 'action.reverse', may: write, danger: true, when: (o) => o.status === 'succeeded' && o.amount_refunded < o.amount_captured,
      amount: (o) => ({ max: o.amount_captured - o.amount_refunded, currency: o.currency }),
      effect: (o, v) => [t('effect.reverse', { amount: money(v.amount ?? 0, o.currency) })], path: verb('reverse'), body: (_, v) => ({ amount: v.amount }), done: 'done.reverse',
    })
    return [...all.filter((a) => a.when(m)), describe(m)]
  }
  add({
    id: 'release', label: 'action.release', may: 'movements.decide', when: (o) => o.status === 'onhold',
    effect: (o) => [o.in_doubt ? t('effect.ask_again') : t('effect.go_on', { amount: money(o.amount, o.currency) })], path: verb('release'), body: () => ({}), done: 'done.release',
  })
  add({
    id: 'confirm', label: 'action.confirm', may: 'movements.decide', when: manual,
    effect: (o) => [t('effect.confirm', { amount: money(o.amount, o.currency) })], path: verb('confirm'), body: () => ({}), done: 'done.confirm',
  })
  add({
    id: 'fail', label: 'action.fail', may: 'movements.decide', danger: true, when: manual,
    texts: [{ name: 'code', label: 'field.code' }],
    effect: (o) => [letGo(o)], path: verb('fail'), body: (_, v) => (v.text.code ? { code: v.text.code } : {}), done: 'done.fail',
  })
  add({
    id: 'return', label: 'action.return', may: 'movements.decide', danger: true, when: (o) => o.rail === 'manual' && o.status === 'succeeded' && o.object !== 'charge',
    effect: (o) => [t('effect.return', { amount: money(o.amount, o.currency) })], path: verb('return'), body: () => ({}), done: 'done.return',
  })
  add({
    id: 'cancel', label: 'action.cancel', may: write, danger: true, when: (o) => open(o) && !o.in_doubt,
    effect: (o) => [o.amount_captured > 0 ? t('effect.cancel_rest', { amount: money(o.amount - o.amount_captured, o.currency) }) : letGo(o)],
    path: verb('cancel'), body: () => ({}), done: 'done.cancel',
  })
  return [...all.filter((a) => a.when(m)), describe(m)]
}

/** What is written about a movement can be changed at any time. */
function describe(m: Movement): Action<Movement> {
  const kind = m.object + 's'
  return {
    id: 'describe', label: 'action.describe', words: true, may: `${kind}.write` as Permission, when: () => true,
    texts: [{ name: 'description', label: 'field.description', value: (o) => o.description ?? '' }],
    effect: () => [t('effect.describe')], method: 'PUT', path: `/v1/${kind}/{id}` as Path, values: (o) => [o.id],
    body: (_, v) => ({ description: v.text.description ?? '' }), done: 'done.saved', touches: [`/v1/${kind}`],
  }
}

/** Says what will happen, asks where it is about live money, does it once. */
export function ActionDialog<T>({ action: a, object, onClose }: { action: Action<T>; object: T; onClose: () => void }) {
  const { live } = usePlace()
  // One key per opened dialog: a second click, or a retry after a lost answer, does nothing twice.
  const [key] = useState(() => crypto.randomUUID())
  const limit = a.amount?.(object)
  const [amount, setAmount] = useState(() => (limit ? amountText(limit.max, limit.currency) : ''))
  const [text, setText] = useState<Record<string, string>>(() => Object.fromEntries((a.texts ?? []).map((f) => [f.name, f.value?.(object) ?? ''])))
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const minor = limit ? parseAmount(amount, limit.currency) : undefined
  const tooMuch = limit !== undefined && minor !== undefined && minor > limit.max
  const bad = limit !== undefined && (minor === undefined || tooMuch)
  const missing = (a.texts ?? []).some((f) => f.required && !text[f.name]?.trim())
  const count = a.count ?? 1
  const ask = (live && !a.words) || count > 100
  const values: Values = { amount: minor, text }
  const request = () => ({ method: a.method ?? 'POST', url: fill(a.path, a.values(object)), body: a.body?.(object, values) })
  const submit = async () => {
    if (busy || bad || missing || (ask && typed !== String(count))) return
    setBusy(true)
    setError(undefined)
    try {
      const r = request()
      const result = await send(r.method, r.url, { body: r.body, key: r.method === 'DELETE' ? undefined : key })
      changed(...(a.touches ?? []))
      toast(t(a.done))
      onClose()
      a.then?.(result.data)
    } catch (err) {
      setError(err)
      // The answer may be lost, the act done: the same key asks again.
      setBusy(false)
    }
  }
  return (
    <Dialog title={t(a.label)} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void submit()
        }}
      >
        {limit && (
          <Field label={`${t('field.amount')} (${limit.currency.toUpperCase()})`} hint={t('field.at_most', { amount: money(limit.max, limit.currency) })} error={tooMuch ? t('field.too_much', { amount: money(limit.max, limit.currency) }) : bad && amount ? t('error.amount') : undefined}>
            {(id, d) => <input id={id} aria-describedby={d} aria-invalid={bad} inputMode="decimal" autoComplete="off" value={amount} onChange={(e) => setAmount(e.target.value)} onFocus={(e) => e.target.select()} />}
          </Field>
        )}
        {a.texts?.map((f) => (
          <Field key={f.name} label={t(f.label)} hint={f.hint && t(f.hint)}>
            {(id, d) => <input id={id} aria-describedby={d} autoComplete="off" required={f.required} value={text[f.name] ?? ''} onChange={(e) => setText((x) => ({ ...x, [f.name]: e.target.value }))} />}
          </Field>
        ))}
        {!bad && (
          <ul className="effects" aria-label={t('effects')}>
            {a.effect(object, values).map((e) => (
              <li key={e}>{e}</li>
            ))}
          </ul>
        )}
        {ask && (
          <Field label={t('type_count', { n: count })} hint={live ? t('live_money') : undefined}>
            {(id, d) => <input id={id} aria-describedby={d} inputMode="numeric" autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />}
          </Field>
        )}
        {error !== undefined && <Failure error={error} />}
        <footer className="dialog-foot">
          <button type="button" className="quiet small" onClick={() => {
            const r = request()
            void copy(asCurl(r.method, r.url, undefined, r.body))
          }}>
            {t('copy_curl')}
          </button>
          <span className="grow" />
          <button type="button" onClick={onClose}>
            {t('not_now')}
          </button>
          <button type="submit" className={a.danger ? 'danger' : 'primary'} disabled={busy || bad || missing || (ask && typed !== String(count))}>
            {busy ? t('working') : limit && minor ? `${t(a.label)} · ${money(minor, limit.currency)}` : t(a.label)}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}

/** Confirms without an object behind it: the caller's own words and request. */
export function Confirm({ title, children, label, danger, ready = true, onClose, run }: { title: string; children: ReactNode; label: string; danger?: boolean; ready?: boolean; onClose: () => void; run: (key: string) => Promise<void> }) {
  const { live } = usePlace()
  const [key] = useState(() => crypto.randomUUID())
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          if (busy || !ready) return
          setBusy(true)
          setError(undefined)
          run(key).then(onClose, (err: unknown) => {
            setError(err instanceof Problem ? err : new Problem(0, 'unknown', String(err), '', '', ''))
            setBusy(false)
          })
        }}
      >
        {children}
        {live && <p className="muted small">{t('live_mode_note')}</p>}
        {error !== undefined && <Failure error={error} />}
        <footer className="dialog-foot">
          <span className="grow" />
          <button type="button" onClick={onClose}>
            {t('not_now')}
          </button>
          <button type="submit" className={danger ? 'danger' : 'primary'} disabled={busy || !ready}>
            {busy ? t('working') : label}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
