import { useState } from 'react'
import { Confirm } from '../actions.tsx'
import { post, type Schema } from '../api/client.ts'
import { changed, usePageRequest, useRead } from '../data.ts'
import { parseAmount, time } from '../format.ts'
import { label, t, tn } from '../i18n/index.ts'
import { usePlace } from '../session.ts'
import { Item, Menu } from '../ui/menu.tsx'
import { Card, Failure, Field, ID, Loading, Table, Time, toast } from '../ui/parts.tsx'

type RailLine = Schema<'RailLogLine'>

const tokens: [string, string][] = [
  ['tok_ok', 'succeeded'],
  ['tok_declined', 'failed'],
  ['tok_insufficient_funds', 'failed'],
  ['tok_auth', 'pending'],
  ['tok_pending', 'pending'],
  ['tok_timeout', 'timeout'],
  ['tok_timeout_failed', 'timeout_failed'],
  ['tok_refund_fail', 'succeeded'],
]
const endings: [string, string][] = [
  ['…91', 'failed'],
  ['…92', 'failed'],
  ['…93', 'onhold'],
  ['…94', 'returned'],
  ['…95', 'refunded'],
  ['…96', 'pending'],
  ['…97', 'timeout'],
  ['…98', 'timeout_failed'],
  ['…99', 'unavailable'],
]

/** The sandbox: its clock, its money, its outcomes and what it was really asked. */
export function SandboxPage() {
  const clock = useRead('/v1/test/clock')
  const log = useRead('/v1/test/rail/log', [], { limit: '1000' })
  const place = usePlace()
  usePageRequest({ method: 'GET', path: '/v1/test/clock', data: clock.data?.data, command: 'giro clock show' })
  const [advancing, setAdvancing] = useState<string>()
  const [funding, setFunding] = useState(false)
  const [amount, setAmount] = useState('1000')
  const [currency, setCurrency] = useState((place.merchant.currency ?? 'usd').toUpperCase())
  const now = clock.data?.data.now
  const lines = [...((log.data?.data as RailLine[] | undefined) ?? [])].reverse().slice(0, 50)
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.sandbox')}</h1>
        <div className="row">
          <button type="button" onClick={() => setFunding(true)}>
            {t('sandbox.fund')}…
          </button>
          <Menu label={t('sandbox.advance')} text={t('sandbox.advance')} caret className="primary" end>
            {(close) =>
              ['1m', '1h', '24h', '168h', '720h'].map((d) => (
                <Item
                  key={d}
                  onSelect={() => {
                    close()
                    setAdvancing(d)
                  }}
                >
                  {label('duration', d)}
                </Item>
              ))
            }
          </Menu>
        </div>
      </div>
      <div className="stack">
        <Card title={t('sandbox.clock')}>
          {clock.error ? <Failure error={clock.error} /> : <p className="big">{now ? <time dateTime={now}>{time(Date.parse(now), 'full')}</time> : '…'}</p>}
          <p className="muted small">{t('sandbox.clock_note')}</p>
        </Card>
        <Card title={t('sandbox.outcomes')}>
          <p className="muted small">{t('sandbox.outcomes_note')}</p>
          <div className="row top wrap">
            {[tokens, endings].map((list, i) => (
              <table key={i} className="plain">
                <thead>
                  <tr>
                    <th scope="col">{t(i ? 'sandbox.payout_amount' : 'sandbox.card_token')}</th>
                    <th scope="col">{t('outcome')}</th>
                  </tr>
                </thead>
                <tbody>
                  {list.map(([k, v]) => (
                    <tr key={k}>
                      <th scope="row">
                        <code>{k}</code>
                      </th>
                      <td>{label('outcome', v)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ))}
          </div>
        </Card>
      <Card title={t('sandbox.log')}>
        <p className="muted small">{t('sandbox.log_note')}</p>
        {log.error ? (
          <Failure error={log.error} />
        ) : !log.data ? (
          <Loading />
        ) : lines.length === 0 ? (
          <p className="muted">{t('list.nothing')}</p>
        ) : (
          <Table cards label={t('sandbox.log')} head={[t('col.object'), t('kind'), { end: t('sandbox.submits') }, { end: t('sandbox.lookups') }, t('sandbox.done'), t('col.created')]}>
            {lines.map((l) => (
              <tr key={l.instruction}>
                <td data-label={t('col.object')}>
                  <ID value={l.object} />
                </td>
                <td data-label={t('kind')}>{label('noun', l.kind)}</td>
                <td className="end" data-label={t('sandbox.submits')}>{l.submits}</td>
                <td className="end" data-label={t('sandbox.lookups')}>{l.lookups}</td>
                <td data-label={t('sandbox.done')}>{l.done ? t('yes') : t('no')}</td>
                <td data-label={t('col.created')}>
                  <Time at={l.at} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Card>
      </div>
      {advancing && (
        <Confirm
          title={t('sandbox.advance')}
          label={t('sandbox.advance')}
          onClose={() => setAdvancing(undefined)}
          run={async (key) => {
            const r = await post('/v1/test/clock', [], { advance: advancing }, key)
            changed('/v1/')
            toast(tn('sandbox.fired', (r.data as Schema<'Clock'>).fired?.length ?? 0))
          }}
        >
          <p>{t('sandbox.advance_note', { by: label('duration', advancing) })}</p>
        </Confirm>
      )}
      {funding && (
        <Confirm
          title={t('sandbox.fund')}
          label={t('sandbox.fund')}
          onClose={() => setFunding(false)}
          run={async (key) => {
            const minor = parseAmount(amount, currency)
            if (minor === undefined) throw new Error(t('error.amount'))
            await post('/v1/test/fund', [], { amount: minor, currency: currency.toLowerCase() }, key)
            changed('/v1/balances', '/v1/accounts', '/v1/ledger')
            toast(t('done.funded'))
          }}
        >
          <p>{t('sandbox.fund_note')}</p>
          <Field label={t('field.amount')}>{(id) => <input id={id} inputMode="decimal" value={amount} autoComplete="off" onChange={(e) => setAmount(e.target.value)} />}</Field>
          <Field label={t('col.currency')}>{(id) => <input id={id} value={currency} maxLength={3} autoComplete="off" onChange={(e) => setCurrency(e.target.value)} />}</Field>
        </Confirm>
      )}
    </>
  )
}
