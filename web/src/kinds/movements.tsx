import { useParams } from '@tanstack/react-router'
import { actionsOf, type AnyMovement, type Charge, type Movement, type Payout, type Refund, type Transfer } from '../actions.tsx'
import type { Path, Schema } from '../api/client.ts'
import { MovementBulk } from '../bulk.tsx'
import { send } from '../api/client.ts'
import { changed, useAccounts, useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { instant, money, time } from '../format.ts'
import { eventLabel, type Key, label, t } from '../i18n/index.ts'
import { FirstSteps } from '../first.tsx'
import { apiQuery, type Column, type Filter, type List, ListView } from '../list.tsx'
import { Metadata } from '../metadata.tsx'
import { A, useSearch } from '../nav.tsx'
import { HTTP, took } from '../pages/logs.tsx'
import { EventDeliveries } from '../pages/webhooks.tsx'
import { useMay, usePlace } from '../session.ts'
import { Strip } from '../strip.tsx'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Item, Menu } from '../ui/menu.tsx'
import { Card, Facts, Failure, ID, JSONView, Loading, Money, Status, Time, toast } from '../ui/parts.tsx'
import { masked } from './document.ts'
import { accountName, Postings } from './ledger.tsx'

export type KindName = 'charges' | 'refunds' | 'payouts' | 'transfers'
export const pages: Record<KindName, string> = { charges: '/payments', refunds: '/refunds', payouts: '/payouts', transfers: '/transfers' }
/** The route of one of a kind. They answer alike, so one stands for all where types matter. */
export const movementPath = (kind: KindName) => `/v1/${kind}/{id}` as '/v1/charges/{id}'
const titles: Record<KindName, Key> = { charges: 'nav.payments', refunds: 'nav.refunds', payouts: 'nav.payouts', transfers: 'nav.transfers' }
export const statuses: Record<KindName, readonly string[]> = {
  charges: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'refunded'],
  refunds: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'returned'],
  payouts: ['succeeded', 'pending', 'onhold', 'failed', 'canceled', 'returned', 'refunded'],
  transfers: ['succeeded', 'pending', 'canceled', 'refunded'],
}

/** How money comes or goes, in a few words. */
export function method(m: Movement): string {
  const c = m as AnyMovement
  if (c.card) return [c.card.brand ? c.card.brand[0]!.toUpperCase() + c.card.brand.slice(1) : label('provider', 'card'), c.card.last4 && '·' + c.card.last4].filter(Boolean).join(' ')
  if (c.bank) return label('method', c.bank.method ?? 'transfer')
  if (c.mobile) return label('provider', 'mobile')
  return m.provider ? label('provider', m.provider) : '—'
}

/** The other side of a destination, as far as it may be shown. */
export function destination(m: Movement): string {
  const b = (m as AnyMovement).bank
  return b?.key ?? b?.account ?? b?.iban ?? b?.account_number ?? (m as AnyMovement).mobile?.phone ?? ''
}

function statusNote(m: Movement): string | undefined {
  if (m.in_doubt) return t('in_doubt')
  if (m.object === 'charge' && m.status === 'succeeded' && m.amount_refunded > 0) return t('partly_refunded')
  return undefined
}

const common: Record<string, Column<Movement>> = {
  amount: { id: 'amount', header: 'col.amount', end: true, cell: (m) => <Money amount={m.amount} currency={m.currency} /> },
  status: { id: 'status', header: 'col.status', cell: (m) => <Status value={m.status} note={statusNote(m)} /> },
  reference: { id: 'reference', header: 'col.reference', cell: (m) => <span className="clip">{m.reference ?? '—'}</span> },
  reason: { id: 'reason', header: 'col.failure', cell: (m) => (m.failure_code ? <code className="clip">{m.failure_code}</code> : '—') },
  created: { id: 'created', header: 'col.created', cell: (m) => <Time at={m.created} /> },
  updated: { id: 'updated', header: 'col.updated', off: true, cell: (m) => <Time at={m.updated_at} /> },
  captured: { id: 'captured', header: 'col.captured', off: true, end: true, cell: (m) => <Money amount={m.amount_captured} currency={m.currency} /> },
  refunded: { id: 'refunded', header: 'col.refunded', off: true, end: true, cell: (m) => <Money amount={m.amount_refunded} currency={m.currency} /> },
  fee: { id: 'fee', header: 'col.fee', off: true, end: true, cell: (m) => <Money amount={m.fee} currency={m.currency} /> },
  description: { id: 'description', header: 'col.description', off: true, cell: (m) => <span className="clip">{m.description ?? '—'}</span> },
  customer: { id: 'customer', header: 'col.customer', off: true, cell: (m) => (m.customer ? <ID value={m.customer} /> : '—') },
  rail: { id: 'rail', header: 'col.rail', off: true, cell: (m) => m.rail ?? '—' },
  id: { id: 'id', header: 'col.id', off: true, cell: (m) => <ID value={m.id} link={false} /> },
  method: { id: 'method', header: 'col.method', cell: (m) => method(m) },
  recipient: { id: 'recipient', header: 'col.recipient', cell: (m) => <span className="clip">{(m as Payout).recipient?.name ?? (destination(m) || '—')}</span> },
  charge: { id: 'charge', header: 'col.charge', cell: (m) => ((m as Refund).charge ? <ID value={(m as Refund).charge!} /> : '—') },
  why: { id: 'why', header: 'col.reason', cell: (m) => <span className="clip">{(m as Refund).reason ?? '—'}</span> },
  from: { id: 'from', header: 'col.from', cell: (m) => ((m as Transfer).from_account ? <ID value={(m as Transfer).from_account!} /> : t('main_account')) },
  to: { id: 'to', header: 'col.to', cell: (m) => ((m as Transfer).destination ? <ID value={(m as Transfer).destination!} /> : '—') },
}

const columns: Record<KindName, Column<Movement>[]> = {
  charges: ['amount', 'status', 'method', 'reference', 'reason', 'created', 'customer', 'description', 'captured', 'refunded', 'fee', 'rail', 'updated', 'id'].map((n) => common[n]!),
  refunds: ['amount', 'status', 'charge', 'why', 'created', 'reason', 'reference', 'description', 'rail', 'updated', 'id'].map((n) => (n === 'reason' ? { ...common[n]!, off: true } : common[n]!)),
  payouts: ['amount', 'status', 'recipient', 'method', 'reference', 'reason', 'created', 'customer', 'description', 'fee', 'rail', 'updated', 'id'].map((n) => common[n]!),
  transfers: ['amount', 'status', 'from', 'to', 'reference', 'created', 'description', 'updated', 'id'].map((n) => common[n]!),
}

function movementFilters(kind: KindName): Filter[] {
  return [
    { id: 'status', kind: 'choice', label: 'col.status', param: 'status', options: statuses[kind], group: 'status' },
    { id: 'amount', kind: 'amount', label: 'col.amount', param: 'amount' },
    { id: 'created', kind: 'created', label: 'col.created', param: 'created' },
    { id: 'currency', kind: 'currency', label: 'col.currency', param: 'currency' },
    { id: 'reference', kind: 'text', label: 'col.reference', param: 'reference' },
    ...(kind === 'refunds' ? [{ id: 'charge', kind: 'text', label: 'col.charge', param: 'charge' } as Filter] : []),
    ...(kind === 'charges' || kind === 'payouts' ? [{ id: 'customer', kind: 'text', label: 'col.customer', param: 'customer' } as Filter] : []),
    { id: 'metadata', kind: 'metadata', label: 'col.metadata', param: 'metadata' },
  ]
}

export function movementList(kind: KindName, more: Partial<List<Movement>> = {}): List<Movement> {
  return {
    name: kind,
    title: titles[kind],
    path: `/v1/${kind}` as Path,
    id: (m) => m.id,
    href: (m) => `${pages[kind]}/${m.id}`,
    columns: columns[kind],
    filters: movementFilters(kind),
    tabs: statuses[kind],
    adds: kind.slice(0, -1) + '.created',
    peek: (m) => <Peek kind={kind} id={m.id} />,
    command: `giro ${kind} list`,
    exports: kind,
    page: pages[kind],
    bulk: (rows, clear, matching) => <MovementBulk kind={kind} rows={rows} matching={matching} clear={clear} />,
    ...more,
  }
}

/** The few facts of the drawer. */
function Peek({ kind, id }: { kind: KindName; id: string }) {
  const q = useRead(movementPath(kind), [id])
  if (q.error) return <Failure error={q.error} />
  const m = q.data?.data as Movement | undefined
  if (!m) return <Loading />
  return (
    <>
      <p className="big">
        <Money amount={m.amount} currency={m.currency} /> <Status value={m.status} note={statusNote(m)} />
      </p>
      <MovementFacts m={m} />
      <Timeline kind={kind} id={id} />
    </>
  )
}

export function MovementsPage({ kind }: { kind: KindName }) {
  const [search, setSearch] = useSearch()
  const list = movementList(kind)
  // The tabs count with the list's own filters, but for the status.
  const { status: _status, ...filters } = apiQuery(list.filters ?? [], search)
  const counts = useRead(`/v1/${kind}/counts` as '/v1/charges/counts', [], filters, { keep: true })
  const c = counts.data?.data
  const may = useMay()
  const creatable = kind !== 'refunds' && may(`${kind}.write`)
  return (
    <ListView
      {...list}
      counts={c && { all: c.all, ...c.statuses }}
      capped={c?.is_capped}
      strip={<Strip path={`/v1/${kind}`} search={search} set={(change) => setSearch({ ...change, cursor: undefined, before: undefined })} />}
      actions={
        creatable && (
          <button type="button" className="primary" onClick={() => setSearch({ create: kind }, true)}>
            <Icon name="plus" /> {t(`create.${kind as 'charges'}`)}
          </button>
        )
      }
      empty={<FirstSteps kind={kind}>{t(`empty.${kind}`)}</FirstSteps>}
    />
  )
}

function MovementFacts({ m }: { m: Movement }) {
  const p = m as AnyMovement
  const d = p.recipient?.document
  return (
    <Facts
      items={[
        [t('col.reference'), m.reference],
        [t('col.description'), m.description],
        [t('col.created'), <Time key="c" at={m.created} style="long" />],
        [t('col.updated'), <Time key="u" at={m.updated_at} style="long" />],
        [t('col.method'), m.object === 'charge' || m.object === 'payout' ? method(m) : undefined],
        [t('col.rail'), m.rail ?? undefined],
        [t('col.charge'), p.charge ? <ID key="ch" value={p.charge} /> : undefined],
        [t('col.reason'), m.object === 'refund' ? (p.reason ?? null) : undefined],
        [t('col.recipient'), p.recipient?.name],
        [t('document'), d ? `${d.type} ${d.number}` : undefined],
        [t('destination'), destination(m) || undefined],
        [t('col.from'), m.object === 'transfer' ? p.from_account ? <ID key="f" value={p.from_account} /> : t('main_account') : undefined],
        [t('col.to'), p.destination ? <ID key="t" value={p.destination} /> : undefined],
        [t('col.customer'), m.customer ? <CustomerName key="cu" id={m.customer} /> : undefined],
        [t('retry_of'), p.retry_of ? <ID key="r" value={p.retry_of} /> : undefined],
        [t('expires'), p.expires_at ? <Time key="e" at={p.expires_at} style="long" /> : undefined],
        [t('failure'), m.failure_code ? <span key="x"><code>{m.failure_code}</code> {m.failure_message}</span> : undefined],
      ]}
    />
  )
}

/** A customer by name, with what tells two of the same name apart. */
function CustomerName({ id }: { id: string }) {
  const q = useRead('/v1/customers/{id}', [id])
  const c = q.data?.data
  if (!c?.name) return <ID value={id} />
  const d = masked(c.document as Parameters<typeof masked>[0])
  return (
    <>
      <A href={'/customers/' + id}>{c.name}</A>
      {d && <span className="muted small"> {d}</span>}
    </>
  )
}

export function Amounts({ m }: { m: Movement }) {
  const c = m.currency
  const rows: [string, number, boolean?][] = [
    [t('amounts.' + m.object + '.amount' as Key), m.amount],
    [t('amounts.' + m.object + '.captured' as Key), m.amount_captured],
    [t('amounts.' + m.object + '.refunded' as Key), -m.amount_refunded],
    ...(m.fee ? [[t('col.fee'), -m.fee] as [string, number]] : []),
    [t('amounts.net'), m.amount_captured - m.amount_refunded - m.fee, true],
  ]
  return (
    <table className="amounts">
      <tbody>
        {rows.map(([name, amount, sum]) => (
          <tr key={name} className={sum ? 'sum' : undefined}>
            <th scope="row">{name}</th>
            <td className="end">{money(amount, c)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const entryIcons: Record<string, IconName> = { request: 'code', act: 'user', ledger_transaction: 'ledger', attempt: 'transfers', event: 'activity', delivery: 'webhook', refund: 'refunds' }

/** An entry of the API's timeline, or a refund among them. */
type Entry = Omit<Schema<'TimelineEntry'>, 'type'> & { type: Schema<'TimelineEntry'>['type'] | 'refund' }

function useTimeline(kind: KindName, id: string) {
  return useRead(`/v1/${kind}/{id}/timeline` as '/v1/charges/{id}/timeline', [id], undefined, { keep: true })
}

/** One ordered story; it grows as events come. */
function Timeline({ kind, id, refunded = false }: { kind: KindName; id: string; refunded?: boolean }) {
  const q = useTimeline(kind, id)
  const refunds = useRead('/v1/refunds', [], { charge: id, limit: '100' }, { enabled: refunded, keep: true })
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!q.data) return <Loading />
  // What was given back is a story of its own; a line of this one says so.
  const given = ((refunded && refunds.data?.data) || []) as Refund[]
  const told = given.map((r) => ({ at: r.created_at, type: 'refund' as const, id: r.id, what: t('timeline.refunded', { amount: money(r.amount, r.currency), state: label('status', r.status) }), detail: r.reason ?? null }))
  // The API's own order decides where the clock does not.
  const entries: Entry[] = [...told, ...[...(q.data.data as Entry[])].reverse()].sort((a, b) => instant(b.at) - instant(a.at))
  // The first of each day says which day it is.
  const day = (e: Entry | undefined) => e && time(instant(e.at), 'day')
  return (
    <ol className="timeline" aria-live="polite" aria-label={t('timeline')}>
      {entries.map((e, i) => (
        <li key={`${entries.length - i}${e.at}${e.type}${e.id}`} className={'t-' + e.type}>
          <span className="dot">
            <Icon name={entryIcons[e.type] ?? 'info'} size={13} />
          </span>
          <div className="grow">
            <p>
              {entryText(e)}
              {e.detail && (
                <>
                  {' '}
                  <code>{e.detail}</code>
                </>
              )}
            </p>
            <p className="muted small">
              {e.type === 'refund' ? label('noun', 'refund') : label('timeline', e.type)}
              {e.id && (
                <>
                  {' · '}
                  <ID value={e.id} />
                </>
              )}
            </p>
          </div>
          <Time at={e.at} style={day(entries[i + 1]) === day(e) ? 'clock' : 'short'} />
        </li>
      ))}
    </ol>
  )
}

/** The story in words where there are some; the wire's own otherwise. */
function entryText(e: Entry): string {
  if (e.type === 'event') {
    const [kind = '', what = ''] = e.what.split('.')
    const words = eventLabel(kind, what)
    return words === what ? e.what : words
  }
  if (e.type === 'ledger_transaction') return t('timeline.posted', { cause: label('cause', e.what) })
  if (e.type === 'request') return t('timeline.created')
  if (e.type === 'act') return label('did', e.what)
  if (e.type === 'delivery') {
    const [state = '', type = ''] = e.what.split(' ')
    return t('timeline.delivered', { type, state: label('delivery_one', state) })
  }
  if (e.type === 'attempt') {
    const [act = '', result = ''] = e.what.split(' ')
    return t('timeline.asked', { act: label('act', act), result: label('result', result) })
  }
  return e.what
}

/** Sandbox outcomes by hand, in test mode. */
function Simulate({ m, kind }: { m: Movement; kind: KindName }) {
  const outcomes = ['succeeded', 'failed', 'onhold', 'returned', 'refunded', 'pending', 'timeout', 'timeout_failed', 'unavailable']
  const run = async (outcome: string) => {
    try {
      await send('POST', `/v1/test/${kind}/${m.id}/${outcome}`, { body: {}, key: crypto.randomUUID() })
      changed(`/v1/${kind}`, '/v1/balances')
    } catch (err) {
      toast(err instanceof Error ? err.message : String(err))
    }
  }
  return (
    <Menu label={t('simulate')} text={t('simulate')} caret>
      {(close) =>
        outcomes.map((o) => (
          <Item
            key={o}
            onSelect={() => {
              close()
              void run(o)
            }}
          >
            {label('outcome', o)}
          </Item>
        ))
      }
    </Menu>
  )
}

export function MovementPage({ kind }: { kind: KindName }) {
  const { id } = useParams({ strict: false }) as { id: string }
  const q = useRead(movementPath(kind), [id])
  const m = q.data?.data as Movement | undefined
  const { live } = usePlace()
  const may = useMay()
  const ledger = useRead(`/v1/${kind}/{id}/ledger` as '/v1/charges/{id}/ledger', [id], undefined, { keep: true, enabled: may('balances.read') })
  const transactions = (ledger.data?.data as Schema<'LedgerTransaction'>[] | undefined) ?? []
  const accounts = useAccounts(may('balances.read') ? transactions.flatMap((x) => x.postings.flatMap((p) => [p.debit, p.credit])) : [])
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!m) return <Loading rows={8} />
  const back = pages[kind]
  const next = (m as AnyMovement).next_action
  return (
    <>
      <Detail
        object={m}
        path={`/v1/${kind}/${id}`}
        back={back}
        backName={t(titles[kind])}
        title={
          <span className="headline">
            <Money amount={m.amount} currency={m.currency} /> <Status value={m.status} note={statusNote(m)} />
          </span>
        }
        actions={actionsOf(m)}
        command={`giro ${kind} get ${m.id}`}
        aside={
          <>
            <Card
              title={t('details')}
              actions={
                <A className="button small" href={`${back}/${m.id}/receipt`}>
                  {t('receipt')}
                </A>
              }
            >
              <MovementFacts m={m} />
            </Card>
            <Card title={t('amounts')}>
              <Amounts m={m} />
            </Card>
            <Metadata object={m} path={movementPath(kind)} editable={may(`${kind}.write`)} />
          </>
        }
      >
        {m.in_doubt && (
          <div className="notice warn">
            <Icon name="warn" />
            <p>{t('in_doubt_note')}</p>
          </div>
        )}
        {next && (
          <Card title={t('next_action')}>
            <div className="row top wrap">
              {next.qr_svg && <img className="qr" alt={t('qr')} src={'data:image/svg+xml;utf8,' + encodeURIComponent(next.qr_svg)} />}
              <Facts
                items={[
                  [t('br_code'), next.br_code ? <code key="b" className="break">{next.br_code}</code> : undefined],
                  [t('bar_code'), next.bar_code ? <code key="b" className="break">{next.bar_code}</code> : undefined],
                  [t('digitable_line'), next.digitable_line ? <code key="d" className="break">{next.digitable_line}</code> : undefined],
                  [t('expires'), next.expires_at ? <Time key="e" at={next.expires_at} style="long" /> : undefined],
                ]}
              />
            </div>
          </Card>
        )}
        <Card title={t('timeline')} actions={!live && may('sandbox.write') && kind !== 'transfers' && <Simulate m={m} kind={kind} />}>
          <Timeline kind={kind} id={id} refunded={m.object === 'charge' && m.amount_refunded > 0} />
        </Card>
        {may('balances.read') && (
          <Card title={t('ledger')} actions={transactions.length > 0 && <span className="ok small"><Icon name="check" size={13} /> {t('balanced')}</span>}>
            {ledger.error ? <Failure error={ledger.error} /> : transactions.length === 0 ? <p className="muted">{t('no_postings')}</p> : transactions.map((x) => <Postings key={x.id} transaction={x} name={(a) => accountName(accounts.get(a), a)} head />)}
          </Card>
        )}
        {kind === 'charges' && <RefundsOf charge={m as Charge} />}
        {may('developers.read') && <EventsOf kind={kind} id={id} />}
        {may('developers.read') && <MadeBy kind={kind} id={id} />}
      </Detail>
    </>
  )
}

/** What was told of a movement, to whom, and how that went. */
function EventsOf({ kind, id }: { kind: KindName; id: string }) {
  const entries = (useTimeline(kind, id).data?.data ?? []) as Schema<'TimelineEntry'>[]
  const events = entries.filter((e) => e.type === 'event').reverse()
  if (events.length === 0) return null
  return (
    <Card title={t('events_n', { n: events.length })}>
      <ul className="plain-list">
        {events.map((e) => (
          <li key={e.id}>
            <p className="row wrap">
              <A href={'/developers/events/' + e.id}>
                <code>{e.what}</code>
              </A>
              <span className="grow" />
              <Time at={e.at} style="clock" />
            </p>
            <EventDeliveries event={e.id!} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** The request that made a movement, while the log still has it. */
function MadeBy({ kind, id }: { kind: KindName; id: string }) {
  const entries = (useTimeline(kind, id).data?.data ?? []) as Schema<'TimelineEntry'>[]
  const request = entries.find((e) => e.type === 'request')?.id ?? ''
  const q = useRead('/v1/requests/{id}', [request], undefined, { enabled: request !== '' })
  const l = q.data?.data
  if (!l) return null
  return (
    <Card
      title={t('made_by')}
      actions={
        <A className="button small" href={'/developers/logs/' + l.id}>
          {t('open')}
        </A>
      }
    >
      <p className="row wrap">
        <code>{`${l.method} ${l.path}`}</code> <HTTP line={l} />
        <span className="grow" />
        <span className="muted small">{took(l)}</span>
      </p>
      {l.idempotency_key && (
        <p className="muted small">
          {t('logs.idempotency')}: <code className="break">{l.idempotency_key}</code>
        </p>
      )}
      {([['request', l.request], ['logs.response', l.response]] as const).map(
        ([name, body]) =>
          body !== undefined &&
          body !== null && (
            <details key={name}>
              <summary>{t(name)}</summary>
              <JSONView value={body} />
            </details>
          ),
      )}
    </Card>
  )
}

/** What was given back, and what still can be. */
function RefundsOf({ charge }: { charge: Charge }) {
  if (charge.amount_captured === 0) return null
  const share = charge.amount_refunded / charge.amount_captured
  return (
    <Card title={t('nav.refunds')}>
      <p>
        {t('refunded_of', { refunded: money(charge.amount_refunded, charge.currency), captured: money(charge.amount_captured, charge.currency) })}
      </p>
      <meter min={0} max={1} value={share} aria-label={t('nav.refunds')} />
      <ListView
        {...movementList('refunds', {
          name: 'refunds-of-charge',
          inner: true,
          bulk: undefined,
          exports: undefined,
          page: undefined,
          tabs: undefined,
          filters: [],
          adds: undefined,
          fixed: { charge: charge.id },
          pageSize: 10,
          columns: columns.refunds.filter((c) => ['amount', 'status', 'why', 'created'].includes(c.id)),
          empty: <p className="muted">{t('none')}</p>,
        })}
      />
    </Card>
  )
}
