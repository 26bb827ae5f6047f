import { type ReactNode, useEffect, useState } from 'react'
import type { Schema } from '../api/client.ts'
import { activityQuery, figuresQuery, ranges } from '../asks.ts'
import { usePageRequest, useRead } from '../data.ts'
import { saveText } from '../download.ts'
import { decimal, instant, milliseconds, money, moneyShort, number, percent } from '../format.ts'
import { label, labelOf, t, tn } from '../i18n/index.ts'
import { FirstSteps } from '../first.tsx'
import { type Event, onEvent, useLive } from '../live.ts'
import { A, pageOf, useSearch } from '../nav.tsx'
import { useMay, usePreferences } from '../session.ts'
import { Arrivals, useWebhookFigures } from '../ui/arrivals.tsx'
import { Bars, bucketName, ChartCard, Legend, Lines, Ranking, Spark, type Target } from '../ui/chart.tsx'
import { Icon } from '../ui/icon.tsx'
import { About, Ago, Card, Facts, Failure, Field, Loading, Money, Time } from '../ui/parts.tsx'
import { Verified } from '../ui/proof.tsx'
import { useSeen } from '../ui/table.tsx'

type Figures = Schema<'Figures'>
type Sums = Schema<'Sums'>

/** Figures, what needs a person, and what is happening. */
export function HomePage() {
  const may = useMay()
  const p = usePreferences()
  const [search, setSearch] = useSearch()
  const [custom, setCustom] = useState(false)
  const query = figuresQuery(search)
  // The figures and the first chart stand before the others are drawn, and what is below those comes with them: what can be clicked does not move.
  const seen = useSeen()
  const q = useRead('/v1/figures', [], query, { keep: true })
  const f = q.data?.data
  usePageRequest({ method: 'GET', path: '/v1/figures', query, data: f })
  const range = search.from || search.to ? 'custom' : (search.range ?? '30d')
  const nothing = f?.currencies.length === 0
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.home')}</h1>
        <div className="row wrap controls">
          <div className="segments" role="group" aria-label={t('period')}>
            {ranges.map((r) => (
              <button key={r} type="button" aria-pressed={range === r} onClick={() => setSearch({ range: r === '30d' ? undefined : r, from: undefined, to: undefined })}>
                {t(`short.${r}`)}
              </button>
            ))}
            <button type="button" aria-pressed={range === 'custom'} onClick={() => setCustom(!custom)}>
              {t('range.custom')}
            </button>
          </div>
          <label className="check">
            <input type="checkbox" checked={search.compare !== 'no'} onChange={(e) => setSearch({ compare: e.target.checked ? undefined : 'no' })} /> {t('compare')}
          </label>
          {f && f.currencies.length > 0 && (
            <select aria-label={t('col.currency')} value={f.currency.toLowerCase()} onChange={(e) => setSearch({ currency: e.target.value })} className="fit">
              {[...new Set([f.currency, ...f.currencies])].map((c) => (
                <option key={c} value={c.toLowerCase()}>
                  {c.toUpperCase()}
                </option>
              ))}
            </select>
          )}
          <span className="muted small">{p.timeZone}</span>
        </div>
      </div>
      {(custom || range === 'custom') && (
        <form
          className="row wrap custom"
          onSubmit={(e) => {
            e.preventDefault()
            const form = new FormData(e.currentTarget)
            setSearch({ range: undefined, from: String(form.get('from') ?? ''), to: String(form.get('to') ?? '') })
            setCustom(false)
          }}
        >
          <Field label={t('from')}>{(id) => <input id={id} type="date" name="from" defaultValue={search.from} required />}</Field>
          <Field label={t('to')}>{(id) => <input id={id} type="date" name="to" defaultValue={search.to} />}</Field>
          <button type="submit">{t('apply')}</button>
        </form>
      )}
      {q.error ? <Failure error={q.error} retry={() => void q.refetch()} /> : !f ? <Loading rows={4} /> : nothing ? <div className="empty"><FirstSteps kind="charges">{t('empty.home')}</FirstSteps></div> : <Cards f={f}>{may('balances.read') && <Available />}</Cards>}
      <div className={nothing ? 'grid halves' : 'grid home'}>
        {!nothing && (
          <div className="stack">
            {f && <Volume f={f} />}
            {seen && f && (
              <>
                <div className="grid halves tight">
                  <SuccessRate f={f} />
                  <Payouts f={f} />
                </div>
                <div className="grid halves tight">
                  <Failures f={f} />
                  {may('developers.read') && <WebhookHealth />}
                </div>
              </>
            )}
          </div>
        )}
        {nothing ? (
          <>
            <Attention />
            <Activity />
          </>
        ) : (
          <div className="stack">
            <Attention />
            <Activity />
          </div>
        )}
      </div>
    </>
  )
}

function change(now: number | null | undefined, before: number | null | undefined): number | undefined {
  if (now === null || now === undefined || !before) return undefined
  return (now - before) / before
}

/** A change in per cent; of what has become many times as much, only that. */
const manifold = (ratio: number) => (ratio < 10 ? percent(ratio) : '> ' + percent(10, 0))

/** One figure, with its definition, its change and its line. */
function KPI({ name, about, value, delta, points, values, href, search }: { name: string; about: string; value: ReactNode; delta?: number; points?: boolean; values?: (number | null)[]; href?: string; search?: Record<string, string> }) {
  return (
    <div className="kpi card">
      <p className="kpi-name">
        {href ? (
          <A href={href} search={search}>
            {name}
          </A>
        ) : (
          name
        )}
        <About text={about} />
      </p>
      <p className="kpi-value">{value}</p>
      <p className="row kpi-foot">
        {delta !== undefined && (
          <span className={'small ' + (delta > 0 ? 'ok' : delta < 0 ? 'bad' : 'muted')}>
            {delta > 0 ? '▲' : delta < 0 ? '▼' : '='} {points ? tn('points', Math.abs(Math.round(delta * 10) / 10)) : manifold(Math.abs(delta))}
          </span>
        )}
        <span className="grow" />
        {values && <Spark values={values} />}
      </p>
    </div>
  )
}

function Cards({ f, children }: { f: Figures; children: ReactNode }) {
  const c = f.currency
  const now = f.totals
  const before: Sums | undefined = f.previous?.totals
  const of = (name: 'gross_volume' | 'net_volume' | 'payouts_sent') => f.series.map((b) => b[name])
  const rate = now.success_rate_bps
  // What does not fit is shortened, and whole on hover.
  const sum = (amount: number) => {
    const whole = money(amount, c)
    return whole.length <= 16 ? whole : <data value={decimal(amount, c)} title={whole}>{moneyShort(amount, c)}</data>
  }
  const open = (f.open ?? []).filter((o) => o.kind === 'payout')
  const { search: created } = createdIn(f, '')
  return (
    <div className="grid kpis">
      <KPI name={t('gross_volume')} about={t('about.gross_volume')} value={sum(now.gross_volume)} delta={change(now.gross_volume, before?.gross_volume)} values={of('gross_volume')} href="/payments" search={{ ...created, status: 'succeeded' }} />
      <KPI name={t('net_volume')} about={t('about.net_volume')} value={sum(now.net_volume)} delta={change(now.net_volume, before?.net_volume)} values={of('net_volume')} />
      <KPI name={t('success_rate')} about={t('about.success_rate')} value={rate === null || rate === undefined ? '—' : percent(rate / 10_000)} points delta={rate !== null && rate !== undefined && before?.success_rate_bps !== null && before?.success_rate_bps !== undefined ? (rate - before.success_rate_bps) / 100 : undefined} values={f.series.map((b) => b.success_rate_bps)} href="/payments" search={{ ...created, status: 'failed' }} />
      <KPI name={t('payouts_sent')} about={t('about.payouts_sent')} value={sum(now.payouts_sent)} delta={change(now.payouts_sent, before?.payouts_sent)} values={of('payouts_sent')} href="/payouts" search={{ ...created, status: 'succeeded' }} />
      <KPI name={t('pending_payouts')} about={t('about.pending_payouts')} value={number(open.reduce((s, o) => s + o.count, 0))} href="/payouts" search={{ status: 'pending,onhold', currency: c.toLowerCase() }} />
      {children}
    </div>
  )
}

/** The list of what was created in a bar, or in the whole stretch. */
function createdIn(f: Figures, page: string, b: { from: number; to: number } = f, more: Record<string, string> = {}): Target {
  return { href: page, search: { currency: f.currency.toLowerCase(), 'created[gte]': String(b.from), 'created[lt]': String(b.to), ...more } }
}

function Volume({ f }: { f: Figures }) {
  const name = t(f.interval === 'hour' ? 'volume_hour' : 'volume_day')
  return (
    <ChartCard title={name} about={t('about.gross_volume')} actions={<SaveSeries f={f} />}>
      {(table) => (
        <>
          <Bars
            table={table}
            label={name}
            format={(v) => (table ? money(v, f.currency) : moneyShort(Math.round(v), f.currency))}
            buckets={f.series.map((b, i) => ({ ...bucketName(b, f.interval), value: b.gross_volume, before: f.previous?.series[i]?.gross_volume, open: !b.complete, to: () => createdIn(f, '/payments', b) }))}
          />
          <Legend parts={[{ name: t('gross_volume'), className: 'c-main' }, ...(f.previous ? [{ name: t('period_before'), className: 'before' }] : []), { name: t('incomplete'), className: 'open' }]} />
        </>
      )}
    </ChartCard>
  )
}

/** The bars' numbers as a CSV, of what is on the page already. */
function SaveSeries({ f }: { f: Figures }) {
  const save = () => {
    const amount = (v: number) => decimal(v, f.currency)
    const lines = [
      ['from', 'to', 'complete', 'currency', 'gross_volume', 'net_volume', 'refunded', 'fees', 'charges', 'succeeded', 'failed', 'payouts_sent', 'gross_volume_before'],
      ...f.series.map((b, i) => {
        const before = f.previous?.series[i]
        return [new Date(b.from * 1000).toISOString(), new Date(b.to * 1000).toISOString(), b.complete, f.currency.toUpperCase(), amount(b.gross_volume), amount(b.net_volume), amount(b.refunded), amount(b.fees), b.charges, b.succeeded, b.failed, amount(b.payouts_sent), before ? amount(before.gross_volume) : '']
      }),
    ]
    saveText(`figures-${f.currency.toLowerCase()}-${new Date(f.from * 1000).toISOString().slice(0, 10)}.csv`, lines.map((l) => l.join(',') + '\r\n').join(''))
  }
  return (
    <button type="button" className="quiet square small" onClick={save} aria-label={t('save_csv')} title={t('save_csv')}>
      <Icon name="export" size={14} />
    </button>
  )
}

function SuccessRate({ f }: { f: Figures }) {
  return (
    <ChartCard title={t('success_rate')} about={t('about.success_rate')}>
      {(table) => (
        <Lines
          table={table}
          label={t('success_rate')}
          top={10_000}
          format={(v) => percent(v / 10_000, table ? 1 : 0)}
          parts={[{ name: t('success_rate'), className: 'c-main' }]}
          points={f.series.map((b) => ({ ...bucketName(b, f.interval), values: [b.success_rate_bps ?? undefined], to: createdIn(f, '/payments', b, { status: 'failed' }) }))}
        />
      )}
    </ChartCard>
  )
}

/** What stands in a bar of payouts, from below. */
const payoutParts = [
  ['succeeded', 'c-main'],
  ['pending', 'c-wait'],
  ['onhold', 'c-warn'],
  ['failed', 'c-bad'],
  ['canceled', 'c-gone'],
  ['returned', 'c-back'],
  ['refunded', 'c-given'],
] as const

function Payouts({ f }: { f: Figures }) {
  const used = payoutParts.filter(([status], i) => i < 2 || f.series.some((b) => b.payouts_by_status[status] > 0))
  const parts = used.map(([status, className]) => ({ name: label('status', status), className }))
  return (
    <ChartCard title={t('payouts_by_status')} about={t('about.payouts_by_status')}>
      {(table) => (
        <>
          <Bars
            table={table}
            height={150}
            label={t('payouts_by_status')}
            format={(v) => number(v)}
            parts={parts}
            buckets={f.series.map((b) => {
              const values = used.map(([status]) => b.payouts_by_status[status])
              return { ...bucketName(b, f.interval), value: values.reduce((sum, n) => sum + n, 0), parts: values, open: !b.complete, to: (part) => createdIn(f, '/payouts', b, part === undefined ? {} : { status: used[part]![0] }) }
            })}
          />
          {!table && <Legend parts={parts} />}
        </>
      )}
    </ChartCard>
  )
}

function Failures({ f }: { f: Figures }) {
  const rows = f.failures.slice(0, 6)
  const page: Record<string, string> = { charge: '/payments', refund: '/refunds', payout: '/payouts', transfer: '/transfers' }
  return (
    <Card title={t('failures')} about={t('about.failures')}>
      {rows.length === 0 ? (
        <p className="muted">{t('no_failures')}</p>
      ) : (
        <Ranking
          label={t('failures')}
          rows={rows.map((r) => ({
            key: r.kind + r.reason,
            name: (
              <A {...createdIn(f, page[r.kind] ?? '/payments', f, { status: r.status, ...(r.reason ? { failure_code: r.reason } : {}) })}>
                <code>{r.reason ?? '—'}</code> <span className="muted small">{label('noun', r.kind)}</span>
              </A>
            ),
            value: r.count,
            text: number(r.count),
          }))}
        />
      )}
    </Card>
  )
}

/** The first thing an operator reads. */
function Attention() {
  const q = useRead('/v1/attention', [], undefined, { keep: true })
  const list = (q.data?.data ?? []) as Schema<'Attention'>[]
  const page: Record<string, string> = { charge: '/payments', refund: '/refunds', payout: '/payouts', transfer: '/transfers' }
  const target = (a: Schema<'Attention'>): [string, Record<string, string>?] => {
    if (a.type.startsWith('endpoint_')) return ['/developers/webhooks' + (a.object ? '/' + a.object : '')]
    if (a.type.startsWith('ledger_')) return ['/balances']
    if (a.object && pageOf(a.object)) return [pageOf(a.object)!]
    if (a.kind) return [page[a.kind] ?? '/payments', { status: a.type === 'movements_onhold' ? 'onhold' : 'pending', ...(a.currency ? { currency: a.currency } : {}) }]
    return ['/']
  }
  return (
    <Card title={list.length ? t('attention_n', { n: list.length }) : t('attention')} className="attention">
      {q.error ? (
        <Failure error={q.error} />
      ) : !q.data ? (
        <Loading rows={2} />
      ) : list.length === 0 ? (
        <p className="ok">
          <Icon name="check" size={14} /> {t('attention_none')}
        </p>
      ) : (
        <ul>
          {list.map((a, i) => {
            const [href, search] = target(a)
            return (
              <li key={i} className={'level-' + a.level}>
                <Icon name={a.level === 'notice' ? 'info' : 'warn'} size={15} />
                <A href={href} search={search} className="grow">
                  {label('attention', a.type)}
                  {a.name && <b> {a.name}</b>}
                  {(a.kind || a.count > 1) && (
                    <span className="block">
                      {a.kind && <span className="muted">{label('noun', a.kind)} </span>}
                      {a.count > 1 && (
                        <b>
                          {number(a.count)}
                          {a.is_capped && '+'}
                        </b>
                      )}
                    </span>
                  )}
                </A>
                {a.amount !== null && a.currency && <Money amount={a.amount} currency={a.currency} />}
                {a.since && <span className="muted small"><Ago at={a.since} /></span>}
              </li>
            )
          })}
        </ul>
      )}
    </Card>
  )
}

function Available() {
  const q = useRead('/v1/balances')
  // Cheap however many accounts there are, unlike the trial balance.
  const v = useRead('/v1/ledger/verification', [], undefined, { keep: true }).data?.data
  return (
    <div className="kpi card wide">
      <p className="kpi-name">
        <A href="/balances">{t('available')}</A>
        <About text={t('about.available')} />
      </p>
      {q.error ? (
        <Failure error={q.error} />
      ) : !q.data ? (
        <Loading rows={1} />
      ) : q.data.data.balances.length === 0 ? (
        <p className="muted">{t('no_balances')}</p>
      ) : (
        <div className="row wrap figures">
          {q.data.data.balances.map((b: Schema<'Balance'>) => (
            <A key={b.currency} href="/balances" className="figure">
              <span className="muted small">{b.currency.toUpperCase()}</span>
              <b>{money(b.available, b.currency)}</b>
            </A>
          ))}
        </div>
      )}
      {v && <Verified v={v} />}
    </div>
  )
}

/** Whether webhooks have arrived in the last 24 hours; nothing where none was sent. */
function WebhookHealth() {
  const w = useWebhookFigures()
  if (!w || w.totals.count === 0) return null
  const { failure_rate_bps: failed, p95_us } = w.totals
  return (
    <Card
      title={t('webhooks.health')}
      about={t('about.webhook_success')}
      actions={
        <A href="/developers/webhooks" className="button small">
          {t('open')}
        </A>
      }
    >
      <Facts
        items={[
          [t('webhooks.success'), failed === null ? '—' : percent(1 - failed / 10_000)],
          ['p95', milliseconds(p95_us)],
        ]}
      />
      <Arrivals totals={w.totals} />
    </Card>
  )
}

/** What has just happened, as the stream tells it. */
function Activity() {
  const live = useLive()
  const q = useRead('/v1/events', [], activityQuery)
  const [fresh, setFresh] = useState<Event[]>([])
  useEffect(() => onEvent((e) => setFresh((list) => [e, ...list].slice(0, 12))), [])
  const old = (q.data?.data ?? []) as Event[]
  const all = [...fresh, ...old.filter((e) => !fresh.some((f) => f.sequence === e.sequence))].sort((a, b) => b.sequence - a.sequence).slice(0, 12)
  return (
    <Card
      title={t('activity')}
      actions={
        <span className={'small live-' + live.state}>
          <span className="pulse" aria-hidden="true" /> {t(`stream.${live.state}`)}
        </span>
      }
    >
      {q.error ? <Failure error={q.error} /> : !q.data ? <Loading /> : all.length === 0 ? <p className="muted">{t('list.nothing')}</p> : null}
      <ol className="feed" aria-label={t('activity')}>
        {all.map((e) => {
          const o = (e.data as { object?: { id?: string; amount?: number; currency?: string } }).object
          const [kind = '', what = ''] = e.type.split('.')
          return (
            <li key={e.id}>
              <Time at={e.created} style={Date.now() - instant(e.created) < 86_400_000 ? 'clock' : 'day'} />
              <span className="grow">
                <A href={(o?.id && pageOf(o.id)) || '/developers/events/' + e.id}>
                  {label('noun', kind)} {labelOf('event', kind, what).toLowerCase()}
                </A>
              </span>
              {o?.amount !== undefined && o.currency && <Money amount={o.amount} currency={o.currency} />}
            </li>
          )
        })}
      </ol>
    </Card>
  )
}
