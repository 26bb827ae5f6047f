import { useParams } from '@tanstack/react-router'
import type { AnyMovement, Movement } from '../actions.tsx'
import type { KindName } from '../asks.ts'
import { usePageRequest, useRead } from '../data.ts'
import { type Key, t } from '../i18n/index.ts'
import { A } from '../nav.tsx'
import { usePlace } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Facts, Failure, Loading, Money, Status, Time } from '../ui/parts.tsx'
import { masked } from './document.ts'
import { Amounts } from './movement.tsx'
import { destination, method, movementPath, pages } from './movements.tsx'

/** What a movement's other side may be handed: on paper, without the chrome around it. */
export function ReceiptPage({ kind }: { kind: KindName }) {
  const { id } = useParams({ strict: false }) as { id: string }
  const { merchant, live } = usePlace()
  const q = useRead(movementPath(kind), [id])
  const m = q.data?.data as Movement | undefined
  usePageRequest({ method: 'GET', path: `/v1/${kind}/${id}`, data: m, command: `giro ${kind} get ${id}` })
  const customer = useRead('/v1/customers/{id}', [m?.customer ?? ''], undefined, { enabled: !!m?.customer }).data?.data
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!m) return <Loading rows={8} />
  const p = m as AnyMovement
  const document = p.recipient?.document ?? undefined
  // A document that serves as a bank key is no more readable than the document itself.
  const to = destination(m)
  const same = document && to.replace(/\D/g, '') === document.number.replace(/\D/g, '')
  return (
    <article className="receipt">
      <div className="row no-print receipt-bar">
        <A href={`${pages[kind]}/${id}`} className="button">
          <Icon name="left" /> {t('receipt.back')}
        </A>
        <span className="grow" />
        <button type="button" className="primary" onClick={() => print()}>
          <Icon name="export" /> {t('receipt.print')}
        </button>
      </div>
      <section className="card paper">
        <header className="row top">
          <div className="grow">
            <p className="muted">{merchant.name}</p>
            <h1>{t(`receipt.${m.object}` as Key)}</h1>
          </div>
          <Status value={m.status} />
        </header>
        {!live && <p className="notice warn">{t('receipt.test')}</p>}
        <p className="big">
          <Money amount={m.amount} currency={m.currency} />
        </p>
        <Facts
          items={[
            [t('col.created'), <Time key="c" at={m.created} style="full" />],
            [t('receipt.as_of'), <Time key="u" at={m.updated_at} style="full" />],
            [t('col.method'), m.object === 'charge' || m.object === 'payout' ? method(m) : undefined],
            [t('col.recipient'), p.recipient?.name],
            [t('document'), document ? masked(document) : undefined],
            [t('destination'), (same ? masked(document).replace(document.type + ' ', '') : to) || undefined],
            [t('col.customer'), customer?.name ?? undefined],
            [t('col.charge'), p.charge ?? undefined],
            [t('col.reason'), m.object === 'refund' ? (p.reason ?? undefined) : undefined],
            [t('col.from'), m.object === 'transfer' ? (p.from_account ?? t('main_account')) : undefined],
            [t('col.to'), m.object === 'transfer' ? p.destination : undefined],
            [t('end_to_end'), p.end_to_end_id ? <code key="e" className="break">{p.end_to_end_id}</code> : undefined],
            [t('col.reference'), m.reference ?? undefined],
            [t('col.description'), m.description ?? undefined],
            [t('failure'), m.failure_message ?? undefined],
          ]}
        />
        <Amounts m={m} />
        <footer className="muted small">
          <code>{m.id}</code>
        </footer>
      </section>
    </article>
  )
}
