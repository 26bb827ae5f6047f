import { type ReactNode, useEffect, useState, useSyncExternalStore } from 'react'
import { Problem, signInHref } from '../api/client.ts'
import { ago, decimal, instant, type Minor, money, time, type TimeStyle } from '../format.ts'
import { label, labelOf, t } from '../i18n/index.ts'
import { A, pageOf } from '../nav.tsx'
import { Icon, type IconName } from './icon.tsx'
import { Menu } from './menu.tsx'

const statusIcons: Record<string, IconName> = {
  pending: 'clock',
  onhold: 'pause',
  succeeded: 'check',
  failed: 'cross',
  canceled: 'ban',
  returned: 'back',
  refunded: 'refunds',
  active: 'check',
  enabled: 'check',
  connected: 'activity',
  disabled: 'ban',
  delivered: 'check',
  revoked: 'ban',
  expired: 'clock',
  closed: 'ban',
  paused: 'pause',
  exhausted: 'cross',
  waiting: 'clock',
  blocked: 'ban',
  failing: 'warn',
  retrying: 'clock',
}

/** Icon, word and colour: none of them alone. */
export function Status({ value, of: noun, note }: { value: string; of?: string; note?: string }) {
  return (
    <span className={'status s-' + value}>
      <Icon name={statusIcons[value] ?? 'info'} size={13} />
      {labelOf('status', noun, value)}
      {note && <span className="status-note">{note}</span>}
    </span>
  )
}

export function Money({ amount, currency, code = true }: { amount: Minor; currency: string; code?: boolean }) {
  return (
    <data className="money" value={decimal(amount, currency)} title={code ? `${decimal(amount, currency)} ${currency.toUpperCase()}` : undefined}>
      {money(amount, currency)}
    </data>
  )
}

export function Time({ at, style = 'short' }: { at: number | string | null | undefined; style?: TimeStyle }) {
  if (at === null || at === undefined || at === '' || at === 0) return <span className="muted">—</span>
  const ms = instant(at)
  return (
    <time dateTime={new Date(ms).toISOString()} title={`${time(ms, 'full')} · ${ago(ms)}`}>
      {time(ms, style)}
    </time>
  )
}

/** "3 minutes ago", kept true. */
export function Ago({ at }: { at: number | string }) {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 10_000)
    return () => clearInterval(timer)
  }, [])
  const ms = instant(at)
  return (
    <time dateTime={new Date(ms).toISOString()} title={time(ms, 'full')}>
      {ago(ms)}
    </time>
  )
}

let toasts: { id: number; text: string }[] = []
let toastID = 0
const toastListeners = new Set<() => void>()

/** Says something in passing; screen readers hear it. */
export function toast(text: string) {
  const id = ++toastID
  const tell = () => {
    for (const l of toastListeners) l()
  }
  toasts = [...toasts, { id, text }]
  tell()
  setTimeout(() => {
    toasts = toasts.filter((x) => x.id !== id)
    tell()
  }, 5000)
}

export function Toasts() {
  const list = useSyncExternalStore(
    (l) => {
      toastListeners.add(l)
      return () => toastListeners.delete(l)
    },
    () => toasts,
  )
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((x) => (
        <div key={x.id} className="toast">
          {x.text}
        </div>
      ))}
    </div>
  )
}

export async function copy(text: string, said = t('copied')) {
  await navigator.clipboard.writeText(text)
  toast(said)
}

export function Copy({ text, label: name }: { text: string; label?: string }) {
  return (
    <button type="button" className="quiet square small" onClick={() => void copy(text)} aria-label={name ?? t('copy_value', { value: text })} title={t('copy')}>
      <Icon name="copy" size={13} />
    </button>
  )
}

/** What somebody is to hand on, whole, with a button that copies it. */
export function Copied({ text }: { text: string }) {
  return (
    <span className="row top">
      <code className="break">{text}</code>
      <Copy text={text} />
    </span>
  )
}

/** An id without its middle: 'ch_01m8…1ytrn'. */
export const shortID = (id: string) => (id.length < 20 ? id : id.slice(0, id.includes('_') ? id.indexOf('_') + 5 : 8) + '…' + id.slice(-5))

/** An id, shortened in the middle, whole on hover, linked where it has a page. */
export function ID({ value, long, link = true }: { value: string; long?: boolean; link?: boolean }) {
  const page = link ? pageOf(value) : undefined
  const text = long ? value : shortID(value)
  const body = <code title={value}>{text}</code>
  return <span className={long ? undefined : 'nowrap'}>{page ? <A href={page}>{body}</A> : body}</span>
}

/** What a figure means: for the pointer, the finger and the keyboard alike. */
export function About({ text }: { text: string }) {
  return (
    <Menu label={text} icon="info" className="about" kind="form">
      {() => <p className="about-text">{text}</p>}
    </Menu>
  )
}

export function Card({ title, about, actions, children, className = '', id }: { title?: ReactNode; about?: string; actions?: ReactNode; children: ReactNode; className?: string; id?: string }) {
  return (
    <section className={'card ' + className} id={id}>
      {title !== undefined && (
        <header className="card-head">
          <div className="card-title">
            <h2>{title}</h2>
            {about && <About text={about} />}
          </div>
          {actions && <div className="row">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  )
}

/** Facts of an object: a list of terms. What is undefined is left out. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {items
        .filter(([, v]) => v !== undefined)
        .map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v === null || v === '' ? <span className="muted">—</span> : v}</dd>
          </div>
        ))}
    </dl>
  )
}

/**
 * A small table that scrolls by itself where it is too wide, by key as well. A
 * heading in `end` stands over numbers. Rows that become cards on a phone say
 * their headings again, as the data-label of each cell.
 */
export function Table({ label: name, head, foot, className, cards, children }: { label: string; head: (string | { end: string })[]; foot?: ReactNode; className?: string; cards?: boolean; children: ReactNode }) {
  return (
    <div className={cards ? 'scroll list' : 'scroll'} tabIndex={0} role="group" aria-label={name}>
      <table className={className}>
        <thead>
          <tr>
            {head.map((h, i) => (
              <th key={i} scope="col" className={typeof h === 'string' ? undefined : 'end'}>
                {typeof h === 'string' ? h : h.end}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
        {foot && <tfoot>{foot}</tfoot>}
      </table>
    </div>
  )
}

/** Grey rows, after 150 ms only: localhost answers faster. */
export function Loading({ rows = 5 }: { rows?: number }) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150)
    return () => clearTimeout(timer)
  }, [])
  if (!late) return null
  return (
    <div className="skeleton" role="status" aria-label={t('loading')}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} />
      ))}
    </div>
  )
}

/** What went wrong, in the reader's language where the code has words in it. */
function problemTitle(p: Problem): string {
  if (p.status === 0) return t('error.offline')
  if (p.status === 401) return t('error.signed_out')
  const words = label('problem', p.code)
  if (words !== p.code) return words
  if (p.status === 403) return t('error.forbidden')
  if (p.status === 404) return t('error.not_found')
  return p.title || t('error.unknown')
}

/** Says in passing that something failed, and how the API put it. */
export function toastFailure(err: unknown) {
  if (!(err instanceof Problem)) toast(err instanceof Error ? err.message : String(err))
  else toast([problemTitle(err), err.detail].filter(Boolean).join(': '))
}

/** What went wrong in the API's own words beneath the reader's, with what support asks for. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const p = error instanceof Problem ? error : undefined
  if (!p) console.warn(error)
  return (
    <div className="failure" role="alert">
      <Icon name="warn" />
      <div className="grow">
        <p>
          <strong>{p ? problemTitle(p) : t('error.unknown')}</strong>
        </p>
        {p?.detail && p.status !== 401 && <p lang="en">{p.detail}</p>}
        {p?.status === 401 && (
          <p>
            <a href={signInHref()} target="_blank" rel="noreferrer">
              {t('error.sign_in')}
            </a>
          </p>
        )}
        {p && p.status !== 0 && (
          <p className="muted small">
            <code>{p.code}</code>
            {p.param && (
              <>
                {' · '}
                <code>{p.param}</code>
              </>
            )}
            {p.requestID && (
              <>
                {' · '}
                {p.status >= 500 ? (
                  <A href={'/developers/logs/' + p.requestID}>
                    <code>{p.requestID}</code>
                  </A>
                ) : (
                  <code>{p.requestID}</code>
                )}
                <Copy text={p.requestID} label={t('error.copy_request_id')} />
              </>
            )}
          </p>
        )}
      </div>
      {retry && (
        <button type="button" onClick={retry}>
          {t('retry')}
        </button>
      )}
    </div>
  )
}

export function Code({ text, label: name }: { text: string; label?: string }) {
  return (
    <div className="code">
      <pre tabIndex={0} aria-label={name ?? t('code')}>
        {text}
      </pre>
      <Copy text={text} label={t('copy')} />
    </div>
  )
}

export function JSONView({ value }: { value: unknown }) {
  return <Code text={JSON.stringify(value, null, 2)} label="JSON" />
}

let fieldID = 0
export function Field({ label: name, hint, error, children }: { label: string; hint?: ReactNode; error?: string; children: (id: string, describedBy: string | undefined) => ReactNode }) {
  const [id] = useState(() => 'field' + ++fieldID)
  return (
    <div className={'field' + (error ? ' bad' : '')}>
      <label htmlFor={id}>{name}</label>
      {children(id, hint || error ? id + 'hint' : undefined)}
      {(error || hint) && (
        <p id={id + 'hint'} className={error ? 'field-error' : 'muted small'} role={error ? 'alert' : undefined}>
          {error || hint}
        </p>
      )}
    </div>
  )
}
