import { lazy, Suspense } from 'react'
import type { AnyMovement, Movement, Payout, Refund, Transfer } from '../actions.tsx'
import type { Path } from '../api/client.ts'
import { countsQuery, type KindName, movementFilters, statuses } from '../asks.ts'
import { useCustomer, useRead } from '../data.ts'
import { type Key, label, t } from '../i18n/index.ts'
import { FirstSteps } from '../first.tsx'
import { type Column, type List, ListView } from '../list.tsx'
import { A, useSearch } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Strip } from '../strip.tsx'
import { Icon } from '../ui/icon.tsx'
import { ID, Loading, Money, Status, Time } from '../ui/parts.tsx'
import { AccountLink } from './account.tsx'

// What is seen of a list only when somebody asks for it.
const MovementBulk = lazy(async () => ({ default: (await import('../bulk.tsx')).MovementBulk }))
const Peek = lazy(async () => ({ default: (await import('./movement.tsx')).Peek }))

export const pages: Record<KindName, string> = { charges: '/payments', refunds: '/refunds', payouts: '/payouts', transfers: '/transfers' }
/** The route of one of a kind. They answer alike, so one stands for all where types matter. */
export const movementPath = (kind: KindName) => `/v1/${kind}/{id}` as '/v1/charges/{id}'
export const titles: Record<KindName, Key> = { charges: 'nav.payments', refunds: 'nav.refunds', payouts: 'nav.payouts', transfers: 'nav.transfers' }
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

export function statusNote(m: Movement): string | undefined {
  if (m.in_doubt) return t('in_doubt')
  if (m.object === 'charge' && m.status === 'succeeded' && m.amount_refunded > 0) return t('partly_refunded')
  return undefined
}

function Customer({ id }: { id: string }) {
  const c = useCustomer(id)
  return c?.name ? (
    <A href={'/customers/' + id} className="clip short">
      {c.name}
    </A>
  ) : (
    <ID value={id} />
  )
}

const common: Record<string, Column<Movement>> = {
  amount: { id: 'amount', header: 'col.amount', end: true, cell: (m) => <Money amount={m.amount} currency={m.currency} /> },
  status: { id: 'status', header: 'col.status', cell: (m) => <Status value={m.status} of={m.object} note={statusNote(m)} /> },
  reference: { id: 'reference', header: 'col.reference', cell: (m) => m.reference && <span className="clip short" title={m.reference}>{m.reference}</span> },
  reason: { id: 'reason', header: 'col.failure', cell: (m) => (m.failure_code ? <code className="clip">{m.failure_code}</code> : undefined) },
  created: { id: 'created', header: 'col.created', cell: (m) => <Time at={m.created} /> },
  updated: { id: 'updated', header: 'col.updated', off: true, cell: (m) => <Time at={m.updated_at} /> },
  captured: { id: 'captured', header: 'col.captured', off: true, end: true, cell: (m) => <Money amount={m.amount_captured} currency={m.currency} /> },
  refunded: { id: 'refunded', header: 'col.refunded', off: true, end: true, cell: (m) => <Money amount={m.amount_refunded} currency={m.currency} /> },
  fee: { id: 'fee', header: 'col.fee', off: true, end: true, cell: (m) => <Money amount={m.fee} currency={m.currency} /> },
  description: { id: 'description', header: 'col.description', off: true, cell: (m) => m.description && <span className="clip">{m.description}</span> },
  customer: { id: 'customer', header: 'col.customer', cell: (m) => (m.customer ? <Customer id={m.customer} /> : undefined) },
  rail: { id: 'rail', header: 'col.rail', off: true, cell: (m) => m.rail },
  id: { id: 'id', header: 'col.id', off: true, cell: (m) => <ID value={m.id} link={false} /> },
  method: { id: 'method', header: 'col.method', cell: (m) => <span className="nowrap">{method(m)}</span> },
  recipient: { id: 'recipient', header: 'col.recipient', cell: (m) => { const who = (m as Payout).recipient?.name ?? destination(m); return who ? <span className="clip">{who}</span> : undefined } },
  charge: { id: 'charge', header: 'col.charge', cell: (m) => ((m as Refund).charge ? <ID value={(m as Refund).charge!} /> : undefined) },
  why: { id: 'why', header: 'col.reason', cell: (m) => (m as Refund).reason && <span className="clip">{(m as Refund).reason}</span> },
  from: { id: 'from', header: 'col.from', cell: (m) => ((m as Transfer).from_account ? <AccountLink id={(m as Transfer).from_account!} /> : t('main_account')) },
  to: { id: 'to', header: 'col.to', cell: (m) => ((m as Transfer).destination ? <AccountLink id={(m as Transfer).destination!} /> : undefined) },
}

export const columns: Record<KindName, Column<Movement>[]> = {
  charges: ['amount', 'status', 'method', 'customer', 'reference', 'reason', 'created', 'description', 'captured', 'refunded', 'fee', 'rail', 'updated', 'id'].map((n) => common[n]!),
  refunds: ['amount', 'status', 'charge', 'why', 'reference', 'created', 'reason', 'description', 'rail', 'updated', 'id'].map((n) => (n === 'reason' ? { ...common[n]!, off: true } : common[n]!)),
  payouts: ['amount', 'status', 'recipient', 'method', 'reference', 'reason', 'created', 'customer', 'description', 'fee', 'rail', 'updated', 'id'].map((n) => (n === 'customer' ? { ...common[n]!, off: true } : common[n]!)),
  transfers: ['amount', 'status', 'from', 'to', 'reference', 'created', 'description', 'updated', 'id'].map((n) => common[n]!),
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
    noun: kind.slice(0, -1),
    peek: (m) => (
      <Suspense fallback={<Loading />}>
        <Peek kind={kind} id={m.id} />
      </Suspense>
    ),
    command: `giro ${kind} list`,
    exports: kind,
    page: pages[kind],
    bulk: (rows, clear, matching) => (
      <Suspense fallback={null}>
        <MovementBulk kind={kind} rows={rows} matching={matching} clear={clear} />
      </Suspense>
    ),
    ...more,
  }
}

export function MovementsPage({ kind }: { kind: KindName }) {
  const [search, setSearch] = useSearch()
  const list = movementList(kind)
  const counts = useRead(`/v1/${kind}/counts` as '/v1/charges/counts', [], countsQuery(list.filters ?? [], search), { keep: true })
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
