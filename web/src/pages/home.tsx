import { useEffect, useState } from 'react'
import type { Schema } from '../api/client.ts'
import { usePageRequest, useRead } from '../data.ts'
import { instant, money, number } from '../format.ts'
import { label, t } from '../i18n/index.ts'
import { type Event, onEvent, useLive } from '../live.ts'
import { A, pageOf } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Ago, Card, Failure, Loading, Money, Time } from '../ui/parts.tsx'

/** Figures, what needs a person, and what is happening. */
export function HomePage() {
  const may = useMay()
  usePageRequest({ method: 'GET', path: '/v1/balances', command: 'giro balances' })
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.home')}</h1>
      </div>
      <div className="grid halves">
        {may('balances.read') && <Available />}
        <Activity />
      </div>
    </>
  )
}

/** The ledger's own proof: how far it reaches and that both sides are equal. */
export function Proof() {
  const q = useRead('/v1/ledger/trial_balance')
  if (q.error) return <Failure error={q.error} />
  const p = q.data?.data
  if (!p) return null
  const equal = p.currencies.every((c) => String(c.debits) === String(c.credits))
  return (
    <p className={'proof ' + (equal ? 'ok' : 'bad')}>
      <Icon name={equal ? 'shield' : 'warn'} size={14} /> {equal ? t('ledger_balanced', { n: number(p.sequence) }) : t('ledger_unbalanced')} · <Ago at={Math.round((q.dataUpdatedAt || Date.now()) / 1000)} />
    </p>
  )
}

export function Available() {
  const q = useRead('/v1/balances')
  return (
    <Card title={t('available')}>
      {q.error ? (
        <Failure error={q.error} />
      ) : !q.data ? (
        <Loading rows={2} />
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
      <Proof />
    </Card>
  )
}

/** What has just happened, as the stream tells it. */
export function Activity() {
  const live = useLive()
  const q = useRead('/v1/events', [], { limit: '12' })
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
              <Time at={e.created} style={Date.now() - instant(e.created) < 86_400_000 ? 'clock' : 'short'} />
              <span className="grow">
                <A href={(o?.id && pageOf(o.id)) || '/developers/events/' + e.id}>
                  {label('noun', kind)} {label('event', what).toLowerCase()}
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
