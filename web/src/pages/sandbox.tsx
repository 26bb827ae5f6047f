import { useState } from 'react'
import { Confirm } from '../actions.tsx'
import { type Path, post, put, type Schema, send } from '../api/client.ts'
import { changed, usePageRequest, useRead } from '../data.ts'
import { lasting, number, parseAmount, time } from '../format.ts'
import { label, t, tn } from '../i18n/index.ts'
import { useMay, usePlace } from '../session.ts'
import { Item, Menu } from '../ui/menu.tsx'
import { Card, Failure, Field, ID, Loading, Table, Time, toast, toastFailure } from '../ui/parts.tsx'

type RailLine = Schema<'RailLogLine'>

const tokens: [string, string][] = [
  ['tok_ok', 'succeeded'],
  ['tok_declined', 'failed'],
  ['tok_insufficient_funds', 'failed'],
  ['tok_auth', 'pending'],
  ['tok_pending', 'pending'],
  ['tok_timeout', 'timeout'],
  ['tok_timeout_failed', 'timeout_failed'],
  ['tok_refund_fail', 'refund_failed'],
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
  const log = useRead('/v1/test/rail/log', [], { limit: '50', newest: 'true' })
  const place = usePlace()
  usePageRequest({ method: 'GET', path: '/v1/test/clock', data: clock.data?.data, command: 'giro clock show' })
  const [advancing, setAdvancing] = useState<string>()
  const [funding, setFunding] = useState(false)
  const [amount, setAmount] = useState('1000')
  const [currency, setCurrency] = useState((place.merchant.currency ?? 'usd').toUpperCase())
  const shown = clock.data?.data
  const now = shown?.now
  const [wiping, setWiping] = useState(false)
  const may = useMay()
  const [turning, setTurning] = useState<'freeze' | 'reset'>()
  const lines = (log.data?.data as RailLine[] | undefined) ?? []
  const [sampling, setSampling] = useState(false)
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.sandbox')}</h1>
        <div className="row">
          <button type="button" onClick={() => setSampling(true)}>
            {t('sandbox.sample')}…
          </button>
          <button type="button" onClick={() => setFunding(true)}>
            {t('sandbox.fund')}…
          </button>
          {may('settings.write') && (
            <button type="button" className="danger" onClick={() => setWiping(true)}>
              {t('sandbox.wipe')}…
            </button>
          )}
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
          {shown && (
            <p>
              {shown.state === 'running' && shown.ahead < 1 ? t('sandbox.clock_real') : label('clock', shown.state)}
              {Math.abs(shown.ahead) > 0 && ` · ${t(shown.ahead > 0 ? 'sandbox.clock_ahead' : 'sandbox.clock_behind', { by: lasting(Math.abs(shown.ahead)) })}`}
            </p>
          )}
          <p className="muted small">{t('sandbox.clock_note')}</p>
          <div className="row">
            <button type="button" disabled={!shown || shown.state === 'frozen'} onClick={() => setTurning('freeze')}>
              {t('sandbox.freeze')}…
            </button>
            <button type="button" disabled={!shown || (shown.state === 'running' && shown.ahead < 1) || shown.state === 'waiting'} onClick={() => setTurning('reset')}>
              {t('sandbox.reset')}…
            </button>
          </div>
        </Card>
        <Faults />
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
      {sampling && <Sample onClose={() => setSampling(false)} />}
      {wiping && <Wipe onClose={() => setWiping(false)} />}
      {turning && (
        <Confirm
          title={t(`sandbox.${turning}`)}
          label={t(`sandbox.${turning}`)}
          onClose={() => setTurning(undefined)}
          run={async (key) => {
            const r = await post('/v1/test/clock', [], turning === 'freeze' ? { freeze: true } : { reset: true }, key)
            changed('/v1/')
            toast(tn('sandbox.fired', (r.data as Schema<'Clock'>).fired?.length ?? 0))
          }}
        >
          <p>{t(`sandbox.${turning}_note`)}</p>
        </Confirm>
      )}
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

const faultKinds = ['charges', 'refunds', 'payouts'] as const
const outcomes = ['failed', 'onhold', 'pending', 'timeout', 'timeout_failed', 'unavailable', 'returned'] as const

/** What the sandbox does to everything of a kind, until it is changed. */
function Faults() {
  const q = useRead('/v1/test/faults')
  const [busy, setBusy] = useState(false)
  const now = q.data?.data
  const set = async (kind: (typeof faultKinds)[number], outcome: string) => {
    setBusy(true)
    try {
      const wanted = { ...Object.fromEntries(faultKinds.map((k) => [k, now?.[k]])), [kind]: outcome }
      await put('/v1/test/faults', [], Object.fromEntries(Object.entries(wanted).filter(([, v]) => v)))
      toast(t('done.saved'))
    } catch (err) {
      toastFailure(err)
    }
    changed('/v1/test/faults')
    setBusy(false)
  }
  return (
    <Card title={t('sandbox.faults')}>
      <p className="muted small">{t('sandbox.faults_note')}</p>
      {q.error ? (
        <Failure error={q.error} />
      ) : (
        <div className="row top wrap">
          {faultKinds.map((k) => {
            const current = now?.[k] ?? ''
            return (
              <Field key={k} label={t(`nav.${k === 'charges' ? 'payments' : k}`)}>
                {(id) => (
                  <select id={id} value={current} disabled={busy || !now} onChange={(e) => void set(k, e.target.value)}>
                    <option value="">{t('sandbox.usual')}</option>
                    {outcomes
                      .filter((o) => o !== 'returned' || k === 'payouts')
                      .map((o) => (
                        <option key={o} value={o}>
                          {label('outcome', o)}
                        </option>
                      ))}
                    {current && !(outcomes as readonly string[]).includes(current) && <option>{current}</option>}
                  </select>
                )}
              </Field>
            )
          })}
        </div>
      )}
    </Card>
  )
}

/** What is made as a sample: enough of everything to look around in. */
function samples(currency: string): { path: Path; body: (made: string[]) => object; simulate?: string }[] {
  const names = ['Ana Souza', 'Bruno Lima', 'Carla Díaz', 'Diego Torres']
  const tokens = ['tok_ok', 'tok_ok', 'tok_ok', 'tok_ok', 'tok_declined', 'tok_ok', 'tok_insufficient_funds', 'tok_auth', 'tok_ok', 'tok_pending']
  const of = (made: string[], prefix: string, n: number) => {
    const some = made.filter((id) => id.startsWith(prefix))
    return some[n % some.length]
  }
  return [
    ...names.map((name, i) => ({ path: '/v1/customers' as Path, body: () => ({ name, email: `sample-${i + 1}@example.com` }) })),
    { path: '/v1/test/fund', body: () => ({ amount: 5_000_000, currency }) },
    ...Array.from({ length: 20 }, (_, i) => ({
      path: '/v1/charges' as Path,
      body: (made: string[]) => ({ amount: 1900 + ((i * 7919) % 48_000), currency, provider: 'card', card: { token: tokens[i % tokens.length] }, customer: of(made, 'cus_', i), description: t('sandbox.sample_payment', { n: i + 1 }), metadata: { sample: String(i + 1) } }),
    })),
    ...[0, 1, 2].map((i) => ({ path: '/v1/refunds' as Path, body: (made: string[]) => ({ charge: of(made, 'ch_', i), amount: 500 + i * 250 }) })),
    ...(['succeeded', 'succeeded', 'failed:account_closed', 'onhold', 'returned', 'succeeded'] as const).map((simulate, i) => ({
      path: '/v1/payouts' as Path,
      simulate,
      body: (made: string[]) => ({ amount: 12_000 + i * 3100, currency, provider: 'bank', bank: { method: 'pix', key: `sample-${i + 1}@example.com` }, recipient: { name: names[i % names.length] }, customer: of(made, 'cus_', i), description: t('sandbox.sample_payout', { n: i + 1 }) }),
    })),
  ]
}

/** Makes customers, payments, refunds and payouts through the API, one after another. */
function Sample({ onClose }: { onClose: () => void }) {
  const place = usePlace()
  const [done, setDone] = useState(0)
  const list = samples((place.merchant.currency ?? 'usd').toLowerCase())
  return (
    <Confirm
      title={t('sandbox.sample')}
      label={t('sandbox.sample')}
      onClose={onClose}
      run={async (key) => {
        const made: string[] = []
        for (const [i, one] of list.entries()) {
          const answer = await send<{ id?: string; status?: string }>('POST', one.path, { body: one.body(made), key: `${key}-${i}`, simulate: one.simulate })
          // Refunds want payments that were captured.
          if (answer.data.id && (!answer.data.id.startsWith('ch_') || answer.data.status === 'succeeded')) made.push(answer.data.id)
          setDone(i + 1)
        }
        changed('/v1/')
        toast(t('sandbox.sampled', { n: list.length }))
      }}
    >
      <p>{t('sandbox.sample_note', { n: list.length })}</p>
      <progress max={list.length} value={done} aria-label={t('sandbox.sample')} />
    </Confirm>
  )
}

/** Empties test mode, and waits until that is done. */
function Wipe({ onClose }: { onClose: () => void }) {
  const place = usePlace()
  const q = useRead('/v1/test/data')
  const [typed, setTyped] = useState('')
  const held = q.data?.data
  const kinds = ['charges', 'refunds', 'payouts', 'transfers'] as const
  const count = kinds.reduce((n, k) => n + (held?.[k] ?? 0), 0)
  // Few objects want no number: the merchant's name says that it is meant.
  const word = count > 100 ? String(count) : place.merchant.name
  return (
    <Confirm
      title={t('sandbox.wipe')}
      label={t('sandbox.wipe')}
      danger
      onClose={onClose}
      ready={held !== undefined && typed.trim() === word}
      run={async (key) => {
        let now = (await post('/v1/test/wipe', [], {}, key)).data as Schema<'TestData'>
        while (now.status === 'wiping') {
          await new Promise((later) => setTimeout(later, 500))
          now = (await send<Schema<'TestData'>>('GET', '/v1/test/data')).data
        }
        changed('/v1/')
        toast(t('sandbox.wiped'))
      }}
    >
      <p>{t('sandbox.wipe_what', { merchant: place.merchant.name })}</p>
      {q.error ? (
        <Failure error={q.error} />
      ) : (
        <ul className="effects" aria-label={t('effects')}>
          {kinds.map((k) => (
            <li key={k}>
              {number(held?.[k] ?? 0)} {t(`nav.${k === 'charges' ? 'payments' : k}`)}
            </li>
          ))}
        </ul>
      )}
      <p className="muted small">{t('sandbox.wipe_note')}</p>
      <Field label={t('type_count', { n: word })}>{(id) => <input id={id} autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />}</Field>
    </Confirm>
  )
}
