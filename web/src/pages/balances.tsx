import type { Schema } from '../api/client.ts'
import { usePageRequest, useRead } from '../data.ts'
import { money } from '../format.ts'
import { t } from '../i18n/index.ts'
import { A, useSearch } from '../nav.tsx'
import { Card, Facts, Failure, Loading } from '../ui/parts.tsx'
import { AsOf } from '../kinds/ledger.tsx'
import { Proof } from './home.tsx'

/** The main accounts of every currency, now or at any past moment. */
export function BalancesPage() {
  const [search] = useSearch()
  const query = search.at ? { at: new Date(search.at + 'Z').toISOString() } : undefined
  const q = useRead('/v1/balances', [], query, { keep: true })
  usePageRequest({ method: 'GET', path: '/v1/balances', query, data: q.data?.data, command: 'giro balances' })
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.balances')}</h1>
        <AsOf />
      </div>
      {search.at && <p className="notice">{t('balances_then', { at: search.at.replace('T', ' ') })}</p>}
      {q.error ? (
        <Failure error={q.error} retry={() => void q.refetch()} />
      ) : !q.data ? (
        <Loading />
      ) : q.data.data.balances.length === 0 ? (
        <p className="empty">{t('no_balances')}</p>
      ) : (
        <div className="grid thirds">
          {q.data.data.balances.map((b: Schema<'Balance'>) => (
            <Card key={b.currency} title={b.currency.toUpperCase()} className="balance">
              <p className="big">{money(b.available, b.currency)}</p>
              <Facts
                items={[
                  [t('available'), money(b.available, b.currency)],
                  [t('pending'), money(b.pending, b.currency)],
                  [t('reserved'), money(b.reserved, b.currency)],
                  [t('returns'), money(b.returns, b.currency)],
                ]}
              />
            </Card>
          ))}
        </div>
      )}
      <Card title={t('proof')}>
        <Proof />
        <p className="muted small">{t('proof_note')}</p>
        <p className="row">
          <A href="/ledger/accounts">{t('nav.ledger_accounts')}</A>
          <A href="/ledger/transactions">{t('nav.ledger_transactions')}</A>
        </p>
      </Card>
    </>
  )
}
