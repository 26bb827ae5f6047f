import { useParams } from '@tanstack/react-router'
import type { Action } from '../actions.tsx'
import type { Schema } from '../api/client.ts'
import { useActivity, useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { FirstSteps } from '../first.tsx'
import { label, t } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { Metadata } from '../metadata.tsx'
import { useGo, useSearch } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Card, Facts, Failure, ID, Loading, Money, Time } from '../ui/parts.tsx'
import { type Document, masked } from './document.ts'
import { method, movementList } from './movements.tsx'

type Customer = Schema<'Customer'>

export function CustomersPage() {
  const may = useMay()
  const [, setSearch] = useSearch()
  return (
    <ListView<Customer>
      name="customers"
      title="nav.customers"
      path="/v1/customers"
      id={(c) => c.id}
      href={(c) => '/customers/' + c.id}
      command="giro customers list"
      exports="customers"
      actions={
        may('customers.write') && (
          <button type="button" className="primary" onClick={() => setSearch({ create: 'customers' }, true)}>
            <Icon name="plus" /> {t('create.customers')}
          </button>
        )
      }
      empty={<FirstSteps kind="customers">{t('empty.customers')}</FirstSteps>}
      columns={[
        { id: 'name', header: 'field.name', cell: (c) => <span className="clip">{c.name ?? c.id}</span> },
        { id: 'email', header: 'field.email', cell: (c) => c.email && <span className="clip">{c.email}</span> },
        { id: 'document', header: 'document', cell: (c) => (c.document ? <span className="nowrap">{masked(c.document as Document)}</span> : undefined) },
        { id: 'reference', header: 'col.reference', off: true, cell: (c) => c.reference && <span className="clip">{c.reference}</span> },
        { id: 'volume', header: 'col.volume', end: true, cell: (c) => <span><Moved id={c.id} /></span> },
        { id: 'last', header: 'col.last', cell: (c) => <LastActivity id={c.id} /> },
        { id: 'phone', header: 'field.phone', off: true, cell: (c) => c.phone },
        { id: 'created', header: 'col.created', off: true, cell: (c) => <Time at={c.created} /> },
        { id: 'id', header: 'col.id', off: true, cell: (c) => <ID value={c.id} link={false} /> },
      ]}
    />
  )
}

/** What a customer has paid, per currency. */
function Moved({ id, all = false }: { id: string; all?: boolean }) {
  const a = useActivity(id)
  if (!a) return <span className="muted">…</span>
  const paid = a.volume.filter((v) => v.charges > 0)
  if (paid.length === 0) return <span className="muted">—</span>
  const more = a.is_capped && <span title={t('customers.capped')}>+</span>
  return (
    <>
      {paid.slice(0, all ? undefined : 1).map((v) => (
        <span key={v.currency} className="block">
          <Money amount={v.captured} currency={v.currency} />
          {more}
        </span>
      ))}
      {!all && paid.length > 1 && <span className="muted small"> {t('and_more', { n: paid.length - 1 })}</span>}
    </>
  )
}

function LastActivity({ id }: { id: string }) {
  const a = useActivity(id)
  if (!a) return <span className="muted">…</span>
  return <Time at={a.last} />
}

export function CustomerPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const go = useGo()
  const may = useMay()
  const q = useRead('/v1/customers/{id}', [id])
  const sources = useRead('/v1/sources', [], { customer: id, limit: '100' })
  const c = q.data?.data
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!c) return <Loading />
  const touches = ['/v1/customers']
  const actions: Action<Customer>[] = [
    {
      id: 'describe', label: 'edit', words: true, may: 'customers.write', when: () => true,
      texts: [
        { name: 'name', label: 'field.name', value: (o) => o.name ?? '', required: true },
        { name: 'email', label: 'field.email', value: (o) => o.email ?? '' },
        { name: 'description', label: 'field.description', value: (o) => o.description ?? '' },
      ],
      effect: () => [t('effect.describe')], method: 'PUT', path: '/v1/customers/{id}', values: (o) => [o.id],
      body: (_, v) => ({ name: v.text.name, ...(v.text.email ? { email: v.text.email } : {}), description: v.text.description ?? '' }), done: 'done.saved', touches,
    },
    { id: 'delete', label: 'delete', may: 'customers.write', danger: true, when: () => true, effect: () => [t('effect.delete_customer')], method: 'DELETE', path: '/v1/customers/{id}', values: (o) => [o.id], done: 'done.deleted', touches, then: () => go('/customers') },
  ]
  const d = c.document as Document
  return (
    <Detail
      object={c}
      path={'/v1/customers/' + id}
      back="/customers"
      backName={t('nav.customers')}
      title={c.name ?? c.id}
      actions={actions}
      command={`giro customers get ${id}`}
      aside={
        <>
          <Card title={t('details')}>
            <Facts
              items={[
                [t('field.email'), c.email],
                [t('field.phone'), c.phone],
                [t('document'), d ? `${d.type} ${d.number}` : null],
                [t('col.reference'), c.reference],
                [t('col.description'), c.description],
                [t('col.volume'), <Moved key="v" id={c.id} all />],
                [t('col.last'), <LastActivity key="l" id={c.id} />],
                [t('col.created'), <Time key="c" at={c.created} style="long" />],
              ]}
            />
          </Card>
          <Card title={t('sources')}>
            {((sources.data?.data as Schema<'Source'>[] | undefined) ?? []).map((s) => (
              <p key={s.id} className="row">
                <span className="grow">{label('provider', s.provider)} {method(s as never) !== '—' && method(s as never)}</span>
                <ID value={s.id} link={false} />
              </p>
            ))}
            {sources.data && (sources.data.data as unknown[]).length === 0 && <p className="muted">{t('none')}</p>}
          </Card>
          <Metadata object={c} path="/v1/customers/{id}" editable={may('customers.write')} />
        </>
      }
    >
      {(['charges', 'payouts'] as const).map((kind) => (
        <Card key={kind} title={t(kind === 'charges' ? 'nav.payments' : 'nav.payouts')}>
          <ListView {...movementList(kind, { name: `${kind}-of-customer`, inner: true, bulk: undefined, exports: undefined, page: undefined, tabs: undefined, filters: [], adds: undefined, fixed: { customer: id }, pageSize: 10, columns: movementList(kind).columns.filter((x) => ['amount', 'status', 'method', 'reference', 'created'].includes(x.id)) })} />
        </Card>
      ))}
    </Detail>
  )
}
