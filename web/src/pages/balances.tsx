import type { ReactNode } from 'react'
import { post, type Schema } from '../api/client.ts'
import { type Account, changed, usePageRequest, useRead, useTrend } from '../data.ts'
import { downloadStatement } from '../download.ts'
import { instant, large, money, number, sum, time } from '../format.ts'
import { t } from '../i18n/index.ts'
import { A, useSearch } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Spark } from '../ui/chart.tsx'
import { Icon } from '../ui/icon.tsx'
import { Card, Failure, Loading, toastFailure } from '../ui/parts.tsx'
import { AsOf, pastOf } from '../kinds/ledger.tsx'
import { Proof, Verified } from '../ui/proof.tsx'

/** Recomputes the whole ledger, beside everything else. */
function Verify() {
  const q = useRead('/v1/ledger/verification', [], undefined, { keep: true })
  const running = q.data?.data.running
  return (
    <button
      type="button"
      disabled={running}
      onClick={() =>
        void post('/v1/ledger/verification', [], {}).then(
          () => changed('/v1/ledger/verification'),
          toastFailure,
        )
      }
    >
      <Icon name="shield" /> {running ? t('verifying') : t('verify')}
    </button>
  )
}

/** When the ledger was last recomputed, and what was found. */
function LastVerification() {
  const q = useRead('/v1/ledger/verification', [], undefined, { keep: true, poll: (answer) => ((answer as Schema<'Verification'> | undefined)?.running ? 1000 : false) })
  const v = q.data?.data
  if (q.error) return <Failure error={q.error} />
  if (!v) return null
  return (
    <>
      <Verified v={v} />
      {v.hash && (
        <p className="small muted break">
          {t('chain_head', { n: v.sequence })} <code>{v.hash}</code>
        </p>
      )}
      {v.faults.length > 0 && (
        <ul className="faults">
          {v.faults.map((f, i) => (
            <li key={i} className="bad">
              {f.mode} {f.sequence}: {f.message}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** How a main account has stood for 30 days. */
function Trend({ account }: { account?: string }) {
  const values = useTrend(account)?.balances
  return values ? <Spark values={values} width={96} height={26} /> : null
}

/** What is on hold, or on its way out, as the movements say; each leads to the larger of the lists. */
function Open({ currency, status }: { currency: string; status: 'onhold' | 'pending' }) {
  const hour = String(Math.floor(Date.now() / 3_600_000) * 3600)
  const f = useRead('/v1/figures', [], { currency, from: hour }, { keep: true }).data?.data
  if (!f) return '…'
  const open = f.open.filter((o) => o.status === status && (o.kind === 'payout' || o.kind === 'refund'))
  const count = open.reduce((n, o) => n + o.count, 0)
  if (count === 0) return money(0, currency)
  return (
    <A href={open.some((o) => o.kind === 'payout') ? '/payouts' : '/refunds'} search={{ status, currency }}>
      {money(sum(open.map((o) => o.amount)), currency)} <span className="muted small">({number(count)})</span>
    </A>
  )
}

/** The main accounts of every currency, now or at any past moment. */
export function BalancesPage() {
  const [search] = useSearch()
  const may = useMay()
  const query = pastOf(search)
  const q = useRead('/v1/balances', [], query, { keep: true })
  const accounts = useRead('/v1/accounts', [], { kind: 'main', limit: '100' }, { keep: true })
  const main = new Map(((accounts.data?.data as Account[] | undefined) ?? []).map((a) => [a.currency, a.id]))
  usePageRequest({ method: 'GET', path: '/v1/balances', query, data: q.data?.data, command: 'giro balances' })
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.balances')}</h1>
        <div className="row wrap">
          <AsOf />
          {may('ledger.verify') && <Verify />}
        </div>
      </div>
      {query.at && search.at && <p className="notice">{t('balances_then', { at: time(instant(search.at), 'full') })}</p>}
      {q.error ? (
        <Failure error={q.error} retry={() => void q.refetch()} />
      ) : !q.data ? (
        <Loading />
      ) : q.data.data.balances.length === 0 ? (
        <p className="empty">{t('no_balances')}</p>
      ) : (
        <div className="grid thirds">
          {q.data.data.balances.map((b: Schema<'Balance'>) => (
            <Card key={b.currency} title={b.currency.toUpperCase()} actions={<Trend account={main.get(b.currency)} />} className="balance">
              <p className="muted small">{t('available')}</p>
              <p className={'big' + large(money(b.available, b.currency))}>{money(b.available, b.currency)}</p>
              <dl className="sides">
                {(
                  [
                    [t('pending'), money(b.pending, b.currency)],
                    [t('reserved'), money(b.reserved, b.currency)],
                    [t('returns'), money(b.returns, b.currency)],
                    ...(search.at ? [] : [[t('balances.onhold'), <Open key="h" currency={b.currency} status="onhold" />], [t('balances.transit'), <Open key="t" currency={b.currency} status="pending" />]]),
                  ] as [string, ReactNode][]
                ).map(([name, value]) => (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                  </div>
                ))}
              </dl>
              {main.get(b.currency) && (
                <p className="row wrap">
                  <A href={'/ledger/accounts/' + main.get(b.currency)} className="button small">
                    {t('statement')}
                  </A>
                  <button type="button" className="small" onClick={() => downloadStatement(main.get(b.currency)!)}>
                    <Icon name="export" size={13} /> {t('save_csv')}
                  </button>
                </p>
              )}
            </Card>
          ))}
        </div>
      )}
      {!q.isPending && (
        <Card title={t('proof')}>
          <Proof />
          <LastVerification />
          <p className="muted small">{t('proof_note')}</p>
          <p className="row">
            <A href="/ledger/accounts">{t('nav.ledger_accounts')}</A>
            <A href="/ledger/transactions">{t('nav.ledger_transactions')}</A>
          </p>
        </Card>
      )}
    </>
  )
}
