import { useParams } from '@tanstack/react-router'
import { actionsOf, type AnyMovement, type Charge, type Movement, type Refund } from '../actions.tsx'
import { type Schema, send } from '../api/client.ts'
import type { KindName } from '../asks.ts'
import { changed, useAccounts, useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { instant, money, time } from '../format.ts'
import { type Key, label, labelOf, t, tn } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { Metadata } from '../metadata.tsx'
import { A, useSearch } from '../nav.tsx'
import { HTTP, took } from '../pages/logs.tsx'
import { useMay, usePlace } from '../session.ts'
import { EventDeliveries } from '../ui/deliveries.tsx'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Item, Menu } from '../ui/menu.tsx'
import { Card, Copied, Facts, Failure, ID, JSONView, Loading, Money, Status, Time, toastFailure } from '../ui/parts.tsx'
import { AccountLink, accountName } from './account.tsx'
import { asked, Attempts } from './attempts.tsx'
import { masked } from './document.ts'
import { Postings } from './ledger.tsx'
import { columns, destination, method, movementList, movementPath, pages, statusNote, titles } from './movements.tsx'

/** The few facts of the drawer. */
export function Peek({ kind, id }: { kind: KindName; id: string }) {
  const q = useRead(movementPath(kind), [id])
  if (q.error) return <Failure error={q.error} />
  const m = q.data?.data as Movement | undefined
  if (!m) return <Loading />
  return (
    <>
      <p className="big">
        <Money amount={m.amount} currency={m.currency} /> <Status value={m.status} of={m.object} note={statusNote(m)} />
      </p>
      <MovementFacts m={m} />
      <Timeline kind={kind} id={id} />
    </>
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
        [t('end_to_end'), p.end_to_end_id ? <Copied key="e2e" text={p.end_to_end_id} /> : undefined],
        [t('col.charge'), p.charge ? <ID key="ch" value={p.charge} /> : undefined],
        [t('col.reason'), m.object === 'refund' ? (p.reason ?? null) : undefined],
        [t('col.recipient'), p.recipient?.name],
        [t('document'), d ? `${d.type} ${d.number}` : undefined],
        [t('destination'), destination(m) || undefined],
        [t('col.from'), m.object === 'transfer' ? p.from_account ? <AccountLink key="f" id={p.from_account} /> : t('main_account') : undefined],
        [t('col.to'), p.destination ? <AccountLink key="t" id={p.destination} /> : undefined],
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
    [t('col.amount'), m.amount],
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

const entryIcons: Record<string, IconName> = { request: 'code', act: 'user', ledger_transaction: 'ledger', attempt: 'transfers', event: 'activity', refund: 'refunds' }

/** An entry of the API's timeline, or a refund among them. */
type Entry = Omit<Schema<'TimelineEntry'>, 'type' | 'event'> & { type: Schema<'TimelineEntry'>['type'] | 'refund'; event?: string | null }

/** When an entry happened, in milliseconds. A refund's own time is whole seconds: within its second it comes last. */
const moment = (e: Entry) => instant(e.at) + (e.type === 'refund' ? 999 : 0)

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
  // Deliveries stand with what they brought; each by itself they would hide the rest.
  const all = q.data.data as Entry[]
  const sent = (event: string | null) => all.filter((e) => e.type === 'delivery' && e.event === event)
  // The API's own order decides where the clock does not.
  const entries: Entry[] = [...told, ...all.filter((e) => e.type !== 'delivery').reverse()].sort((a, b) => moment(b) - moment(a))
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
              {e.detail && e.type !== 'act' && (
                <>
                  {' '}
                  {e.type === 'request' ? <ID value={e.detail} link={false} /> : <code>{e.detail}</code>}
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
            {e.type === 'event' && <Sent deliveries={sent(e.id)} />}
          </div>
          <Time at={e.at} style={day(entries[i + 1]) === day(e) ? 'clock' : 'stamp'} />
        </li>
      ))}
    </ol>
  )
}

/** To how many endpoints an event went, and how that stands. */
function Sent({ deliveries }: { deliveries: Entry[] }) {
  const of = (state: string) => deliveries.filter((d) => d.what.startsWith(state + ' ')).length
  const [arrived, waiting, lost] = [of('succeeded'), of('pending'), of('failed')]
  if (arrived + waiting + lost === 0) return null
  return (
    <p className="sent small">
      {arrived > 0 && (
        <span className="ok">
          <Icon name="check" size={12} /> {tn('timeline.arrived', arrived)}
        </span>
      )}
      {waiting > 0 && (
        <span className="warn">
          <Icon name="clock" size={12} /> {tn('timeline.waiting', waiting)}
        </span>
      )}
      {lost > 0 && (
        <span className="bad">
          <Icon name="cross" size={12} /> {tn('timeline.lost', lost)}
        </span>
      )}
    </p>
  )
}

/** The story in words where there are some; the wire's own otherwise. */
function entryText(e: Entry): string {
  if (e.type === 'event') {
    const [kind = '', what = ''] = e.what.split('.')
    const words = labelOf('event', kind, what)
    return words === what ? e.what : words
  }
  if (e.type === 'ledger_transaction') return t('timeline.posted', { cause: label('cause', e.what) })
  if (e.type === 'request') return t('timeline.created')
  if (e.type === 'act') {
    const verb = e.what.replace(/(Charge|Refund|Payout|Transfer)s?$/, '')
    const words = label('did', verb)
    return words === verb ? e.what : words.replace('{who}', e.detail ?? '—')
  }
  if (e.type === 'attempt') {
    const [act = '', ...result] = e.what.split(' ')
    return asked(act, result.join(' '))
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
      toastFailure(err)
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
            <Money amount={m.amount} currency={m.currency} /> <Status value={m.status} of={m.object} note={statusNote(m)} />
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
            {m.object === 'refund' && m.charge && <PaymentOf refund={m} charge={m.charge} />}
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
                  [t('br_code'), next.br_code ? <Copied key="b" text={next.br_code} /> : undefined],
                  [t('bar_code'), next.bar_code ? <Copied key="b" text={next.bar_code} /> : undefined],
                  [t('digitable_line'), next.digitable_line ? <Copied key="d" text={next.digitable_line} /> : undefined],
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
        {kind !== 'transfers' && <Attempts kind={kind} m={m} />}
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
            <EventDeliveries event={e.id!} at={e.at} />
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

/** The payment that a refund gives back; there it stands among the others. */
function PaymentOf({ refund, charge }: { refund: Refund; charge: string }) {
  const q = useRead('/v1/charges/{id}', [charge])
  const c = q.data?.data as Charge | undefined
  if (q.error) return <Failure error={q.error} />
  if (!c) return null
  return (
    <Card
      title={t('noun.charge')}
      actions={
        <A className="button small" href={'/payments/' + charge} search={{ refund: refund.id }}>
          {t('open')}
        </A>
      }
    >
      <p className="row wrap">
        <b>
          <Money amount={c.amount} currency={c.currency} />
        </b>
        <Status value={c.status} note={statusNote(c)} />
      </p>
      <p className="muted small">{t('refunded_of', { refunded: money(c.amount_refunded, c.currency), captured: money(c.amount_captured, c.currency) })}</p>
      <meter min={0} max={1} value={c.amount_captured ? c.amount_refunded / c.amount_captured : 0} aria-label={t('nav.refunds')} />
    </Card>
  )
}

/** What was given back, and what still can be; the URL may name one of them. */
function RefundsOf({ charge }: { charge: Charge }) {
  const [search] = useSearch()
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
          marked: search.refund,
          columns: columns.refunds.filter((c) => ['amount', 'status', 'why', 'created'].includes(c.id)),
          empty: <p className="muted">{t('none')}</p>,
        })}
      />
    </Card>
  )
}
