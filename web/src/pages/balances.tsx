import { post, type Schema } from '../api/client.ts'
import { changed, usePageRequest, useRead } from '../data.ts'
import { large, money, number } from '../format.ts'
import { t } from '../i18n/index.ts'
import { A, useSearch } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Card, Failure, Loading, toast } from '../ui/parts.tsx'
import { AsOf } from '../kinds/ledger.tsx'
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
          (err: Error) => toast(err.message),
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
          {t('chain_head', { n: number(v.sequence) })} <code>{v.hash}</code>
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

/** The main accounts of every currency, now or at any past moment. */
export function BalancesPage() {
  const [search] = useSearch()
  const may = useMay()
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
              <p className="muted small">{t('available')}</p>
              <p className={'big' + large(money(b.available, b.currency))}>{money(b.available, b.currency)}</p>
              <dl className="sides">
                {(['pending', 'reserved', 'returns'] as const).map((part) => (
                  <div key={part}>
                    <dt>{t(part)}</dt>
                    <dd>{money(b[part], b.currency)}</dd>
                  </div>
                ))}
              </dl>
            </Card>
          ))}
        </div>
      )}
      <Card title={t('proof')} actions={may('ledger.verify') && <Verify />}>
        <Proof />
        <LastVerification />
        <p className="muted small">{t('proof_note')}</p>
        <p className="row">
          <A href="/ledger/accounts">{t('nav.ledger_accounts')}</A>
          <A href="/ledger/transactions">{t('nav.ledger_transactions')}</A>
        </p>
      </Card>
    </>
  )
}
