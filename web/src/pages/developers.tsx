import type { ReactNode } from 'react'
import type { Schema } from '../api/client.ts'
import { usePageRequest, useRead } from '../data.ts'
import { FirstSteps } from '../first.tsx'
import { milliseconds, number, percent } from '../format.ts'
import { t } from '../i18n/index.ts'
import type { Event } from '../live.ts'
import { A, useSearch } from '../nav.tsx'
import { preferences } from '../preferences.ts'
import { Arrivals } from '../ui/arrivals.tsx'
import { Bars, bucketName, ChartCard, Legend, Lines, type Part, type Target, Took } from '../ui/chart.tsx'
import { Icon } from '../ui/icon.tsx'
import { About, Card, Code, Failure, Loading, Time } from '../ui/parts.tsx'

const ranges = ['1h', '24h', '7d'] as const
const hours: Record<string, number> = { '1h': 1, '24h': 24, '7d': 168 }

/** The classes of answers; what failed stands on top. */
const classes = (): Part[] => [
  { name: t('answered.2xx'), className: 'c-main' },
  { name: t('answered.4xx'), className: 'c-warn' },
  { name: t('answered.5xx'), className: 'c-bad' },
]

/** What the log's filter calls [classes]. */
const classNames = ['2xx', '4xx', '5xx']

/** The three of [classes]; what was not answered at all counts with what failed. */
function classParts(b: Schema<'RequestTotals'>): number[] {
  return [b.answered_2xx + b.answered_3xx, b.answered_4xx, b.answered_5xx + b.unanswered]
}

/** The middle, and the slow ends. */
const percentiles = (): Part[] => [
  { name: 'p50', className: 'c-main' },
  { name: 'p95', className: 'c-warn' },
  { name: 'p99', className: 'c-bad' },
]
const percentileValues = (b: Schema<'RequestTotals'>) => [b.p50_us ?? undefined, b.p95_us ?? undefined, b.p99_us ?? undefined]

/** What programs ask of the API, how it is answered, and whether webhooks arrive. */
export function DevelopersPage() {
  const [search, setSearch] = useSearch()
  const range = search.range && search.range in hours ? search.range : '24h'
  // On the minute, so that a page that is drawn again asks the same.
  const from = String((Math.floor(Date.now() / 60_000) - hours[range]! * 60 + 1) * 60)
  const query = { from, time_zone: preferences().timeZone }
  const requests = useRead('/v1/requests/figures', [], query, { keep: true, poll: 10_000 })
  // Attempts are counted by the hour.
  const webhooks = useRead('/v1/webhook_endpoints/figures', [], range === '1h' ? { time_zone: query.time_zone } : query, { keep: true, poll: 10_000 })
  const f = requests.data?.data
  const w = webhooks.data?.data
  // What can be clicked does not move: it waits for what stands above it.
  const there = (f ?? requests.error) && (w ?? webhooks.error)
  usePageRequest({ method: 'GET', path: '/v1/requests/figures', query, data: f })
  const minutes = f ? Math.max(1, (Math.min(f.now, f.to) - f.from) / 60) : 1
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.developers')}</h1>
        <div className="row wrap controls">
          <div className="segments" role="group" aria-label={t('period')}>
            {ranges.map((r) => (
              <button key={r} type="button" aria-pressed={range === r} onClick={() => setSearch({ range: r === '24h' ? undefined : r })}>
                {t(`short.${r}`)}
              </button>
            ))}
          </div>
          <span className="muted small">{query.time_zone}</span>
        </div>
      </div>
      {requests.error ? (
        <Failure error={requests.error} retry={() => void requests.refetch()} />
      ) : !f || !there ? (
        <Loading rows={4} />
      ) : (
        <>
          <div className="grid kpis six">
            <Figure name={t('dev.requests')} about={t('about.requests')} value={number(f.totals.count)} note={t('dev.per_minute', { n: few(f.totals.count / minutes) })} to={logsOf(f)} />
            <Figure name={t('dev.error_rate')} about={t('about.error_rate')} value={rate(f.totals.failure_rate_bps)} note={t('dev.of_errors', { client: number(f.totals.answered_4xx), server: number(f.totals.answered_5xx + f.totals.unanswered) })} to={logsOf(f, { status: f.totals.answered_5xx ? '5xx' : '4xx' })} />
            {(['p50_us', 'p95_us', 'p99_us'] as const).map((p) => (
              <Figure key={p} name={p.slice(0, 3)} about={t('about.percentile')} value={milliseconds(f.totals[p])} note={t(`dev.${p}`)} to={logsOf(f, slowerThan(f.totals[p]))} />
            ))}
            {w && <Figure name={t('dev.webhook_success')} about={t('about.webhook_success')} value={w.totals.failure_rate_bps === null ? '—' : rate(10_000 - w.totals.failure_rate_bps)} note={t('dev.attempts', { n: number(w.totals.count) })} to={{ href: '/developers/webhooks', search: {} }} />}
          </div>
          <div className="grid halves">
            <ChartCard title={t('dev.requests')} about={t('about.requests')}>
              {(table) => (
                <>
                  <Bars
                    table={table}
                    label={t('dev.requests')}
                    parts={classes()}
                    format={(v) => number(v)}
                    buckets={f.series.map((b) => ({ ...bucketName(b, f.interval), value: b.count, parts: classParts(b), open: !b.complete, to: (part) => logsOf(b, part === undefined ? {} : { status: classNames[part]! }) }))}
                  />
                  <Legend parts={[...classes(), { name: t('incomplete'), className: 'open' }]} />
                </>
              )}
            </ChartCard>
            <ChartCard title={t('dev.latency')} about={t('about.percentile')}>
              {(table) => (
                <Lines
                  table={table}
                  label={t('dev.latency')}
                  height={190}
                  parts={percentiles()}
                  format={milliseconds}
                  points={f.series.map((b) => ({ ...bucketName(b, f.interval), values: percentileValues(b), to: logsOf(b, slowerThan(b.p95_us)) }))}
                />
              )}
            </ChartCard>
            {f.totals.count > 0 && (
              <Card title={t('dev.took')} about={t('about.took')}>
                <Took parts={f.took} label={t('dev.took')} to={(low, high) => logsOf(f, { ...(low ? { 'took_us[gt]': String(low) } : {}), ...(high ? { 'took_us[lte]': String(high) } : {}) })} />
              </Card>
            )}
            {w && w.totals.count > 0 && (
              <Card title={t('dev.webhook_took')} about={t('about.took')}>
                <Took parts={w.took} label={t('dev.webhook_took')} />
              </Card>
            )}
          </div>
        </>
      )}
      {there && (
        <div className="grid halves">
          <Card
            title={t('nav.webhooks')}
            actions={
              <A href="/developers/webhooks" className="button small">
                {t('open')}
              </A>
            }
          >
            {webhooks.error ? <Failure error={webhooks.error} /> : !w || w.totals.count === 0 ? <p>{t('webhooks_note')}</p> : <Arrivals totals={w.totals} />}
            <Code text="giro listen --forward-to localhost:3000/hooks" label={t('command')} />
          </Card>
          <Card
            title={t('nav.events')}
            actions={
              <A href="/developers/events" className="button small">
                {t('open')}
              </A>
            }
          >
            <Recent />
          </Card>
          <Card title={t('first_request')} className="whole">
            <FirstSteps kind="charges">{t('first_request_note')}</FirstSteps>
            <p className="row wrap">
              <A href="/developers/keys" className="button">
                <Icon name="key" /> {t('nav.keys')}
              </A>
              <a className="button" href="/openapi.json" target="_blank" rel="noreferrer">
                <Icon name="code" /> {t('openapi')}
              </a>
            </p>
          </Card>
        </div>
      )}
    </>
  )
}

/** A number with one decimal; what is more than nothing is never called 0. */
const few = (n: number) => (n > 0 && n < 0.05 ? '< ' + number(0.1) : number(Math.round(n * 10) / 10))

const rate = (bps: number | null) => (bps === null ? '—' : percent(bps / 10_000))

function Figure({ name, about, value, note, to }: { name: string; about: string; value: string; note: ReactNode; to: Target }) {
  return (
    <div className="kpi card">
      <p className="kpi-name">
        <A {...to}>{name}</A>
        <About text={about} />
      </p>
      <p className="kpi-value">{value}</p>
      <p className="muted small">{note}</p>
    </div>
  )
}

/** The request log of a stretch. */
function logsOf(b: { from: number; to: number }, more: Record<string, string> = {}): Target {
  return { href: '/developers/logs', search: { 'created[gte]': String(b.from), 'created[lt]': String(b.to), ...more } }
}

const slowerThan = (us: number | null): Record<string, string> => (us ? { 'took_us[gte]': String(us) } : {})

function Recent() {
  const q = useRead('/v1/events', [], { limit: '8' })
  if (q.error) return <Failure error={q.error} />
  if (!q.data) return <Loading />
  const list = q.data.data as Event[]
  if (list.length === 0) return <p className="muted">{t('list.nothing')}</p>
  return (
    <ol className="feed">
      {list.map((e) => (
        <li key={e.id}>
          <Time at={e.created} style="short" />
          <A href={'/developers/events/' + e.id}>
            <code>{e.type}</code>
          </A>
        </li>
      ))}
    </ol>
  )
}
