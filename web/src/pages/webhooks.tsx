import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { type Action, Confirm } from '../actions.tsx'
import { post, put, quote, type Schema } from '../api/client.ts'
import { changed, useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { instant, milliseconds, number, percent, time } from '../format.ts'
import { label, labelOf, t, tn } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { useGo, useSearch } from '../nav.tsx'
import { useMay } from '../session.ts'
import { stringifySearch } from '../url.ts'
import { SignatureDialog } from '../signature.tsx'
import { Bars, bucketName, ChartCard, Legend, SparkBars } from '../ui/chart.tsx'
import { Icon } from '../ui/icon.tsx'
import { Item, Menu } from '../ui/menu.tsx'
import { Ago, Card, Code, copy, Facts, Failure, Field, ID, Loading, Status, Time, toast, toastFailure } from '../ui/parts.tsx'
import { Arrivals, useWebhookFigures } from '../ui/arrivals.tsx'
import { attemptsOf, deliveryStatus, endpointName as name } from '../ui/deliveries.tsx'
import { Secret } from './keys.tsx'
import { clockOf, instantOf, zoneName } from '../zone.ts'

/** What of an answer is no text: control characters, and what giro could not read as UTF-8. */
const unreadable = /[^\P{Cc}\t\r\n]|\ufffd/u

type Endpoint = Schema<'WebhookEndpoint'>
type Delivery = Schema<'Delivery'>
type DeliveryDetail = Schema<'DeliveryDetail'>

function endpointState(e: Endpoint): string {
  if (!e.enabled) return e.disabled_reason ? 'disabled' : 'paused'
  if (e.connected) return 'connected'
  return e.failing_since ? 'failing' : 'enabled'
}

/** How an endpoint does; of a listener that is connected also where it runs. */
function EndpointStatus({ endpoint: e, failed }: { endpoint: Endpoint; failed?: string }) {
  const state = endpointState(e)
  return <Status value={state} note={{ connected: e.connected?.name ?? undefined, failing: failed }[state]} />
}

/** No event tells of a listener that comes or goes. */
const listenerPoll = 5000

const listen = 'giro listen --forward-to localhost:3000/hooks'

type Traffic = Schema<'EndpointFigures'>

/** What of the attempts failed; nothing where there were none. */
function share(totals: Traffic['totals'] | undefined): string | undefined {
  return totals?.failure_rate_bps ? percent(totals.failure_rate_bps / 10_000, 0) : undefined
}

function Day({ figures: f, interval = 'hour' }: { figures?: Traffic; interval?: string }) {
  if (!f) return '—'
  const failed = f.totals.count - f.totals.answered_2xx
  const said = (total: number, bad: number) => t('webhooks.attempts_failed', { n: number(total), failed: number(bad) })
  return <SparkBars label={said(f.totals.count, failed)} bars={f.series.map((b) => ({ good: b.answered_2xx, bad: b.count - b.answered_2xx, title: `${bucketName(b, interval).title}: ${said(b.count, b.count - b.answered_2xx)}` }))} />
}

/** How an endpoint has answered in the last 24 hours. */
function Traffic({ endpoint }: { endpoint: string }) {
  const f = useWebhookFigures(endpoint)
  if (!f || f.totals.count === 0) return null
  const parts = [{ name: t('webhooks.good'), className: 'c-main' }, { name: t('webhooks.bad'), className: 'c-bad' }]
  return (
    <div className="grid halves tight">
      <ChartCard title={t('webhooks.day_attempts')} about={t('about.webhook_success')}>
        {(table) => (
          <>
            <Bars
              table={table}
              label={t('webhooks.day_attempts')}
              height={150}
              format={(v) => number(v)}
              parts={parts}
              buckets={f.series.map((b) => ({ ...bucketName(b, f.interval), value: b.count, parts: [b.answered_2xx, b.count - b.answered_2xx], open: !b.complete }))}
            />
            <Legend parts={[...parts, { name: t('incomplete'), className: 'open' }]} />
            <p className="muted small">{f.time_zone}</p>
          </>
        )}
      </ChartCard>
      <Card title={t('webhooks.arrived')} about={t('about.percentile')}>
        <Facts
          items={[
            [t('webhooks.success'), f.totals.failure_rate_bps === null ? '—' : percent(1 - f.totals.failure_rate_bps / 10_000)],
            [t('dev.latency'), (['p50_us', 'p95_us', 'p99_us'] as const).map((p) => `${p.slice(0, 3)}\u00a0${milliseconds(f.totals[p])}`).join(' · ')],
            [t('webhooks.next'), f.endpoints[0]?.next_attempt_at ? <Ago key="n" at={f.endpoints[0].next_attempt_at} /> : '—'],
          ]}
        />
        <Arrivals totals={f.totals} />
      </Card>
    </div>
  )
}

export function WebhooksPage() {
  const may = useMay()
  const [making, setMaking] = useState(false)
  const [secret, setSecret] = useState('')
  const [signature, setSignature] = useState(false)
  const [recovering, setRecovering] = useState<Endpoint>()
  const [tested, setTested] = useState<DeliveryDetail>()
  const figures = useWebhookFigures()
  const of = (e: Endpoint) => figures?.endpoints.find((f) => f.endpoint === e.id)
  return (
    <>
      <ListView<Endpoint>
        name="webhook_endpoints"
        title="nav.webhooks"
        path="/v1/webhook_endpoints"
        id={(e) => e.id}
        href={(e) => '/developers/webhooks/' + e.id}
        command="giro webhooks list"
        unpaged
        poll={listenerPoll}
        actions={
          <>
            <button type="button" className="not-small" onClick={() => void copy(listen)} title={t('copy')}>
              <code>{listen}</code> <Icon name="copy" size={13} />
            </button>
            <button type="button" className="not-small" onClick={() => setSignature(true)}>
              <Icon name="shield" size={14} /> {t('signature')}
            </button>
            {may('developers.write') && (
              <button type="button" className="primary" onClick={() => setMaking(true)}>
                <Icon name="plus" /> {t('webhooks.create')}
              </button>
            )}
          </>
        }
        columns={[
          { id: 'url', header: 'webhooks.url', cell: (e) => <span className="clip wide">{name(e)}</span> },
          { id: 'events', header: 'nav.events', cell: (e) => <span className="clip">{e.events.join(', ')}</span> },
          {
            id: 'state',
            header: 'col.status',
            cell: (e) => (
              <>
                <EndpointStatus endpoint={e} failed={share(of(e)?.totals)} />
                {e.connected && e.enabled && (
                  <span className="muted small">
                    {' '}
                    <Ago at={e.connected.since} />
                  </span>
                )}
              </>
            ),
          },
          { id: 'day', header: 'webhooks.day', cell: (e) => <Day figures={of(e)} interval={figures?.interval} /> },
          { id: 'p95', header: 'webhooks.p95', end: true, cell: (e) => milliseconds(of(e)?.totals.p95_us) },
          { id: 'next', header: 'webhooks.next', cell: (e) => (of(e)?.next_attempt_at ? <Ago at={of(e)!.next_attempt_at!} /> : undefined) },
          { id: 'since', off: true, header: 'webhooks.failing_since', cell: (e) => (e.failing_since ? <Ago at={e.failing_since} /> : undefined) },
          { id: 'created', header: 'col.created', off: true, cell: (e) => <Time at={e.created} /> },
          { id: 'description', header: 'col.description', off: true, cell: (e) => e.description && <span className="clip">{e.description}</span> },
          ...(may('developers.write')
            ? [
                {
                  id: 'act',
                  header: 'actions' as const,
                  cell: (e: Endpoint) => (
                    <Menu label={t('more')} current={name(e)} icon="more" className="quiet square small" end>
                      {(close) => {
                        const run = (f: () => void) => () => {
                          close()
                          f()
                        }
                        return (
                          <>
                            {e.url && e.enabled && <Item onSelect={run(() => void sendTest(e.id, setTested))}>{t('webhooks.test')}</Item>}
                            <Item onSelect={run(() => setRecovering(e))}>{t('webhooks.recover')}…</Item>
                          </>
                        )
                      }}
                    </Menu>
                  ),
                },
              ]
            : []),
        ]}
        empty={
          <div className="first">
            <p>{t('webhooks_note')}</p>
            <Code text={listen} label={t('command')} />
          </div>
        }
      />
      {making && <EndpointForm onClose={() => setMaking(false)} onSecret={setSecret} />}
      {secret && <Secret value={secret} title={t('webhooks.secret')} onClose={() => setSecret('')} />}
      {signature && <SignatureDialog onClose={() => setSignature(false)} />}
      {recovering && <Recover endpoint={recovering} onClose={() => setRecovering(undefined)} />}
      {tested && <Tested d={tested} onClose={() => setTested(undefined)} />}
    </>
  )
}

/** The way to a recovery; of an endpoint that fails it says since when, and how much it is. */
function RecoverButton({ endpoint, onOpen }: { endpoint: Endpoint; onOpen: () => void }) {
  const since = missedSince(endpoint)
  const missed = useMissed(endpoint.id, since, !!endpoint.failing_since)
  return (
    <button type="button" className="small" onClick={onOpen}>
      {missed && missed.n > 0 ? t('webhooks.recover_since', { time: time(since, 'short'), n: missed.said }) : t('webhooks.recover')}…
    </button>
  )
}

/** Sends a test event and shows how it was taken. */
async function sendTest(endpoint: string, show: (d: DeliveryDetail) => void) {
  try {
    show((await post('/v1/webhook_endpoints/{id}/test', [endpoint], {})).data)
    changed('/v1/webhook_endpoints')
  } catch (err) {
    toastFailure(err)
  }
}

function Tested({ d, onClose }: { d: DeliveryDetail; onClose: () => void }) {
  return (
    <Confirm title={t('webhooks.test')} label={t('close')} onClose={onClose} run={async () => undefined}>
      <DeliveryView d={d} />
    </Confirm>
  )
}

/** From when on an endpoint is most likely to have missed something: when it began to fail, or a day ago. */
const missedSince = (e: Endpoint) => (e.failing_since ? Math.floor(instant(e.failing_since) / 60_000) * 60_000 : Date.now() - 86_400_000)

/** How many events would be sent again: "212", or "10,000+" where not all were looked at. */
function useMissed(endpoint: string, since: number, enabled = true): { n: number; said: string } | undefined {
  const known = enabled && Number.isFinite(since)
  const m = useRead('/v1/webhook_endpoints/{id}/recover', [endpoint], { since: known ? new Date(since).toISOString() : '' }, { enabled: known, keep: true }).data?.data
  return m && known ? { n: m.count, said: number(m.count) + (m.capped ? '+' : '') } : undefined
}

/** Sends again what an endpoint has not taken since some time. */
function Recover({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const [since, setSince] = useState(() => clockOf(missedSince(endpoint)).slice(0, 16))
  const missed = useMissed(endpoint.id, instantOf(since))
  return (
    <Confirm
      title={t('webhooks.recover')}
      label={missed ? t('webhooks.recover_n', { n: missed.said }) : t('webhooks.recover')}
      onClose={onClose}
      run={async () => {
        const r = await post('/v1/webhook_endpoints/{id}/recover', [endpoint.id], { since: new Date(instantOf(since)).toISOString() })
        changed('/v1/webhook_endpoints')
        toast(tn('webhooks.recovered', (r.data as Schema<'Recovered'>).recovered))
      }}
    >
      <p>
        <b>{name(endpoint)}</b>
      </p>
      <p>{t('webhooks.recover_note')}</p>
      <Field label={t('webhooks.since', { zone: zoneName() })}>{(id) => <input id={id} type="datetime-local" required value={since} onChange={(e) => setSince(e.target.value)} />}</Field>
      <p role="status">{missed && (missed.said.endsWith('+') ? t('webhooks.missed_more', { n: number(missed.n) }) : tn('webhooks.missed', missed.n))}</p>
    </Confirm>
  )
}

function EndpointForm({ endpoint, onClose, onSecret }: { endpoint?: Endpoint; onClose: () => void; onSecret?: (s: string) => void }) {
  const [url, setURL] = useState(endpoint?.url ?? '')
  const [events, setEvents] = useState(endpoint?.events.join(', ') ?? '*')
  const [description, setDescription] = useState(endpoint?.description ?? '')
  return (
    <Confirm
      title={t(endpoint ? 'edit' : 'webhooks.create')}
      label={t(endpoint ? 'save' : 'webhooks.create')}
      onClose={onClose}
      run={async () => {
        const body = { ...(url ? { url } : {}), events: events.split(/[\s,]+/).filter(Boolean), description }
        if (endpoint) await put('/v1/webhook_endpoints/{id}', [endpoint.id], body)
        else {
          const made = await post('/v1/webhook_endpoints', [], body)
          if (made.data.secret) onSecret?.(made.data.secret)
        }
        changed('/v1/webhook_endpoints')
      }}
    >
      <Field label={t('webhooks.url')} hint={t('webhooks.url_note')}>
        {(id, d) => <input id={id} aria-describedby={d} type="url" value={url} autoComplete="off" onChange={(e) => setURL(e.target.value)} />}
      </Field>
      <Field label={t('nav.events')} hint={t('webhooks.events_note')}>
        {(id, d) => <input id={id} aria-describedby={d} value={events} required autoComplete="off" onChange={(e) => setEvents(e.target.value)} />}
      </Field>
      <Field label={t('field.description')}>{(id) => <input id={id} value={description} autoComplete="off" onChange={(e) => setDescription(e.target.value)} />}</Field>
    </Confirm>
  )
}

export function WebhookPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const go = useGo()
  const may = useMay()
  const q = useRead('/v1/webhook_endpoints/{id}', [id], undefined, { poll: (e) => ((e as Endpoint | undefined)?.url === null ? listenerPoll : false) })
  const [editing, setEditing] = useState(false)
  const [secret, setSecret] = useState('')
  const [recovering, setRecovering] = useState(false)
  const [tested, setTested] = useState<DeliveryDetail>()
  const e = q.data?.data
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!e) return <Loading />
  const touches = ['/v1/webhook_endpoints']
  const path = '/v1/webhook_endpoints/{id}' as const
  const may_write = 'developers.write' as const
  const actions: Action<Endpoint>[] = [
    { id: 'enable', label: 'webhooks.enable', may: may_write, when: (o) => !o.enabled, effect: () => [t('webhooks.enable_note')], method: 'PUT', path, values: (o) => [o.id], body: () => ({ enabled: true }), done: 'done.saved', touches },
    { id: 'pause', label: 'webhooks.pause', may: may_write, when: (o) => o.enabled, danger: true, effect: () => [t('webhooks.pause_note')], method: 'PUT', path, values: (o) => [o.id], body: () => ({ enabled: false }), done: 'done.saved', touches },
    {
      id: 'roll', label: 'webhooks.roll', may: may_write, danger: true, when: (o) => !!o.url, effect: () => [t('webhooks.roll_note')], path: '/v1/webhook_endpoints/{id}/roll_secret', values: (o) => [o.id], body: () => ({}), done: 'done.saved', touches,
      then: (a) => setSecret((a as Endpoint).secret ?? ''),
    },
    { id: 'delete', label: 'delete', may: may_write, danger: true, when: () => true, effect: () => [t('webhooks.delete_note')], method: 'DELETE', path, values: (o) => [o.id], done: 'done.deleted', touches, then: () => go('/developers/webhooks') },
  ]
  return (
    <>
      <Detail
        object={e}
        path={'/v1/webhook_endpoints/' + id}
        back="/developers/webhooks"
        backName={t('nav.webhooks')}
        title={
          <span className="headline">
            {name(e)} <EndpointStatus endpoint={e} />
          </span>
        }
        actions={actions}
        command={`giro webhooks get ${id}`}
      >
        <div className="grid halves tight">
          <Card
            title={t('details')}
            actions={
              may('developers.write') && (
                <>
                  <button type="button" className="small" onClick={() => setEditing(true)}>
                    {t('edit')}…
                  </button>
                  {e.url && e.enabled && (
                    <button type="button" className="small" onClick={() => void sendTest(id, setTested)}>
                      {t('webhooks.test')}
                    </button>
                  )}
                  <RecoverButton endpoint={e} onOpen={() => setRecovering(true)} />
                </>
              )
            }
          >
            <Facts
              items={[
                [t('nav.events'), e.events.join(', ')],
                [t('col.description'), e.description],
                [t('webhooks.secret'), <code key="h">{e.secret_hint ?? '—'}</code>],
                [
                  t('webhooks.old_secret'),
                  e.old_secrets.length === 0
                    ? undefined
                    : e.old_secrets.map((s, i) => (
                        <div key={i}>
                          <code>{s.hint ?? '—'}</code> {t('webhooks.signs_until')} <Time at={s.valid_until} />
                        </div>
                      )),
                ],
                [t('webhooks.failing_since'), e.failing_since ? <Ago key="f" at={e.failing_since} /> : undefined],
                [t('webhooks.disabled_reason'), e.disabled_reason ? label('disabled_reason', e.disabled_reason) : undefined],
                [label('status', 'connected'), e.connected ? <Ago key="on" at={e.connected.since} /> : undefined],
                [t('col.created'), <Time key="c" at={e.created} style="long" />],
              ]}
            />
          </Card>
          <Card title={t('webhooks.local')}>
            <p className="muted small">{t('webhooks.local_note')}</p>
            <Code text={listen} label={t('command')} />
          </Card>
        </div>
        <Traffic endpoint={id} />
        <Deliveries endpoint={e} />
      </Detail>
      {editing && <EndpointForm endpoint={e} onClose={() => setEditing(false)} />}
      {secret && <Secret value={secret} title={t('webhooks.secret')} onClose={() => setSecret('')} />}
      {recovering && <Recover endpoint={e} onClose={() => setRecovering(false)} />}
      {tested && <Tested d={tested} onClose={() => setTested(undefined)} />}
    </>
  )
}

/** Kinds of events that can be told apart. */
const eventTypes = ['charge.*', 'refund.*', 'payout.*', 'transfer.*', ...['succeeded', 'failed'].map((what) => 'charge.' + what), ...['succeeded', 'failed', 'returned'].map((what) => 'payout.' + what)]

const deliveryStates = ['pending', 'succeeded', 'failed'] as const

function Deliveries({ endpoint }: { endpoint: Endpoint }) {
  const may = useMay()
  const [search, setSearch] = useSearch()
  const state = search.state
  const chosen = search.delivery
  const resend = async (events: string[]) => {
    try {
      for (const event of events) await post('/v1/events/{id}/resend', [event], { endpoint: endpoint.id })
      toast(tn('webhooks.resent', events.length))
    } catch (err) {
      toastFailure(err)
    }
    changed(`/v1/webhook_endpoints/${endpoint.id}`)
  }
  return (
    <Card title={t('webhooks.deliveries')}>
      <div className="segments spaced" role="group" aria-label={t('col.status')}>
        {[undefined, ...deliveryStates].map((s) => (
          <button key={s ?? 'all'} type="button" aria-pressed={state === s} onClick={() => setSearch({ state: s, 'deliveries.before': undefined })}>
            {s ? label('delivery', s) : labelOf('list', 'delivery', 'all')}
          </button>
        ))}
      </div>
      <form
        key={`${search.type} ${search.object}`}
        className="row wrap delivery-filters"
        onSubmit={(e) => {
          e.preventDefault()
          const form = new FormData(e.currentTarget)
          setSearch({ type: String(form.get('type') ?? '').trim() || undefined, object: String(form.get('object') ?? '').trim() || undefined, 'deliveries.before': undefined })
        }}
      >
        <Field label={t('col.type')}>
          {(id) => (
            <select id={id} name="type" defaultValue={search.type ?? ''} onChange={(e) => e.target.form?.requestSubmit()}>
              <option value="">{t('list.all')}</option>
              {[...new Set([...eventTypes, ...(search.type ? [search.type] : [])])].map((type) => (
                <option key={type}>{type}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('col.object')}>{(id) => <input id={id} name="object" defaultValue={search.object} autoComplete="off" spellCheck={false} />}</Field>
        <button type="submit">{t('apply')}</button>
        {(search.type || search.object) && (
          <button type="button" className="quiet" onClick={() => setSearch({ type: undefined, object: undefined, 'deliveries.before': undefined })}>
            {t('list.clear')}
          </button>
        )}
      </form>
      <div className={chosen ? 'split' : undefined}>
        <ListView<Delivery>
          name="deliveries"
          title="webhooks.deliveries"
          path="/v1/webhook_endpoints/{id}/deliveries"
          values={[endpoint.id]}
          id={(d) => d.event}
          href={(d) => `/developers/webhooks/${endpoint.id}${stringifySearch({ delivery: d.event, ...(state ? { state } : {}), ...(search.type ? { type: search.type } : {}), ...(search.object ? { object: search.object } : {}) })}`}
          inner
          poll={5000}
          fixed={{ ...(state ? { state } : {}), ...(search.type ? { type: search.type } : {}), ...(search.object ? { object: search.object } : {}) }}
          bulk={may('developers.write') && endpoint.url ? (rows, clear) => (
            <button
              type="button"
              onClick={() => {
                clear()
                void resend(rows.map((r) => r.event))
              }}
            >
              {t('webhooks.resend')}
            </button>
          ) : undefined}
          columns={[
            { id: 'type', header: 'col.type', cell: (d) => <code>{d.type}</code> },
            { id: 'target', header: 'col.object', cell: (d) => (d.target ? <ID value={d.target} /> : undefined) },
            { id: 'state', header: 'col.status', cell: (d) => <Status value={deliveryStatus(d)} note={d.status ? String(d.status) : d.error ? label('delivery_error', d.error) : undefined} /> },
            { id: 'attempts', header: 'webhooks.attempts', end: true, cell: (d) => attemptsOf(d, endpoint) },
            { id: 'next', header: 'webhooks.next', off: !!chosen, cell: (d) => (d.next_attempt_at ? <Ago at={d.next_attempt_at} /> : undefined) },
            { id: 'last', header: 'webhooks.last', off: !!chosen, cell: (d) => <Time at={d.last_attempt_at} /> },
            ...(may('developers.write') && endpoint.url
              ? [
                  {
                    id: 'act',
                    header: 'actions' as const,
                    cell: (d: Delivery) => (
                      <button type="button" className="small" onClick={() => void resend([d.event])}>
                        {t('webhooks.resend')}
                      </button>
                    ),
                  },
                ]
              : []),
          ]}
        />
        {chosen && (
          <section className="side" aria-label={t('webhooks.delivery')}>
            <p className="row">
              <ID value={chosen} />
              <span className="grow" />
              <button type="button" className="quiet square" onClick={() => setSearch({ delivery: undefined })} aria-label={t('close')}>
                <Icon name="cross" />
              </button>
            </p>
            <OneDelivery endpoint={endpoint.id} event={chosen} />
          </section>
        )}
      </div>
    </Card>
  )
}

/** A delivery beside the list, as up to date as its row. */
function OneDelivery({ endpoint, event }: { endpoint: string; event: string }) {
  const q = useRead('/v1/webhook_endpoints/{id}/deliveries/{event}', [endpoint, event], undefined, { keep: true, poll: 5000 })
  if (q.error) return <Failure error={q.error} />
  if (!q.data) return <Loading />
  return <DeliveryView d={q.data.data} />
}

/** What was sent and what was answered: text from outside, shown as text. */
function DeliveryView({ d }: { d: DeliveryDetail }) {
  const [signature, setSignature] = useState(false)
  const headers = Object.entries((d.request?.headers as Record<string, string> | undefined) ?? {})
  const curl = d.request?.url ? [`curl -X POST ${quote(d.request.url)}`, ...headers.map(([k, v]) => `-H ${quote(`${k}: ${v}`)}`), `--data-binary ${quote(d.request.body)}`].join(' \\\n  ') : ''
  return (
    <div className="stack">
      <p className="row wrap">
        <Status value={deliveryStatus(d)} />
        {d.status !== null && <code>{d.status}</code>}
        {d.error && <span className="bad">{label('delivery_error', d.error)}</span>}
      </p>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{t('webhooks.attempt')}</th>
            <th scope="col">{t('col.status')}</th>
            <th scope="col">{t('webhooks.took')}</th>
          </tr>
        </thead>
        <tbody>
          {d.log.map((a, i) => (
            <tr key={i}>
              <th scope="row">
                <Time at={a.at} style="long" />
              </th>
              <td>{a.status ?? (a.error ? label('delivery_error', a.error) : '—')}</td>
              <td>{t('unit.ms', { n: number(a.took_ms) })}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {d.request && (
        <details>
          <summary>{t('webhooks.request')}</summary>
          {headers.length > 0 && <Code text={headers.map(([k, v]) => `${k}: ${v}`).join('\n')} label={t('webhooks.request')} />}
          <Code text={d.request.body} label={t('event_body')} />
        </details>
      )}
      {d.response && (
        <details open>
          <summary>{t('webhooks.response')}</summary>
          {unreadable.test(d.response.body) && <p className="muted small">{t('webhooks.binary')}</p>}
          <Code text={[...d.response.body].map((c) => (unreadable.test(c) ? '·' : c)).join('') || '—'} label={t('webhooks.response')} />
        </details>
      )}
      {(curl || headers.length > 0) && (
        <p className="row wrap">
          {curl && (
            <button type="button" className="small" onClick={() => void copy(curl)}>
              <Icon name="copy" size={13} /> {t('copy_curl')}
            </button>
          )}
          {headers.length > 0 && (
            <button type="button" className="small" onClick={() => setSignature(true)}>
              <Icon name="shield" size={13} /> {t('signature')}
            </button>
          )}
        </p>
      )}
      {signature && <SignatureDialog headers={headers.map(([k, v]) => `${k}: ${v}`).join('\n')} body={d.request!.body} onClose={() => setSignature(false)} />}
    </div>
  )
}
