import { useParams } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import type { Schema } from '../api/client.ts'
import { type Account, useAccounts, usePageRequest, useRead, useTrend } from '../data.ts'
import { Detail } from '../detail.tsx'
import { downloadStatement } from '../download.ts'
import { FirstSteps } from '../first.tsx'
import { instant, type Minor, money, moneyShort, opposite, sum, time } from '../format.ts'
import { label, t } from '../i18n/index.ts'
import { type List, ListView } from '../list.tsx'
import { A, useSearch } from '../nav.tsx'
import { Spark, StepLine } from '../ui/chart.tsx'
import { Icon } from '../ui/icon.tsx'
import { Card, Code, Facts, Failure, Field, ID, Loading, Money, Table, Time } from '../ui/parts.tsx'
import type { Search } from '../url.ts'
import { clockOf, instantOf, zoneName } from '../zone.ts'
import { accountName } from './account.tsx'

export type LedgerTransaction = Schema<'LedgerTransaction'>

/** What a ledger transaction moves: the sum of either side. */
function moved(x: LedgerTransaction): Minor {
  return sum(x.postings.map((p) => p.amount))
}

/** A ledger transaction as T-accounts: debits left, credits right, both sums equal. */
export function Postings({ transaction: x, name, head }: { transaction: LedgerTransaction; name: (account: string) => string; head?: boolean }) {
  const total = moved(x)
  return (
    <div className="postings">
      {head && (
        <p className="row small">
          <strong>{label('cause', x.cause)}</strong>
          <ID value={x.id} />
          <span className="grow" />
          <Time at={x.created} style="long" />
        </p>
      )}
      <Table
        label={t('postings')}
        head={[t('debit'), t('credit'), { end: t('col.amount') }]}
        foot={
          <tr>
            <th scope="row" colSpan={2}>
              {t('sum_equal')}
            </th>
            <td className="end">{money(total, x.currency)}</td>
          </tr>
        }
      >
        {x.postings.map((p, i) => (
          <tr key={i}>
            <td>
              <A href={'/ledger/accounts/' + p.debit}>{name(p.debit)}</A>
            </td>
            <td>
              <A href={'/ledger/accounts/' + p.credit}>{name(p.credit)}</A>
            </td>
            <td className="end">{money(p.amount, x.currency)}</td>
          </tr>
        ))}
      </Table>
    </div>
  )
}

export function LedgerTransactionsPage() {
  const list: List<LedgerTransaction> = {
    name: 'ledger_transactions',
    title: 'nav.ledger_transactions',
    path: '/v1/ledger/transactions',
    id: (x) => x.id,
    href: (x) => '/ledger/transactions/' + x.id,
    columns: [
      { id: 'sequence', header: 'col.sequence', end: true, cell: (x) => x.sequence },
      { id: 'cause', header: 'col.cause', cell: (x) => label('cause', x.cause) },
      { id: 'amount', header: 'col.amount', end: true, cell: (x) => <Money amount={moved(x)} currency={x.currency} /> },
      { id: 'source', header: 'col.source', cell: (x) => (x.source ? <ID value={x.source} /> : undefined) },
      { id: 'hash', header: 'col.hash', cell: (x) => <code title={x.hash}>{x.hash.slice(0, 10)}…</code> },
      { id: 'created', header: 'col.created', cell: (x) => <Time at={x.created} /> },
      { id: 'id', header: 'col.id', off: true, cell: (x) => <ID value={x.id} link={false} /> },
    ],
    command: 'giro transactions list',
    empty: <FirstSteps kind="charges">{t('empty.ledger_transactions')}</FirstSteps>,
  }
  return <ListView {...list} />
}

export function LedgerTransactionPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const q = useRead('/v1/ledger/transactions/{id}', [id])
  const x = q.data?.data
  const accounts = useAccounts(x ? x.postings.flatMap((p) => [p.debit, p.credit]) : [])
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!x) return <Loading />
  const sides = new Map<string, { debit: number[]; credit: number[] }>()
  for (const p of x.postings) {
    for (const [account, side] of [
      [p.debit, 'debit'],
      [p.credit, 'credit'],
    ] as const) {
      if (!sides.has(account)) sides.set(account, { debit: [], credit: [] })
      sides.get(account)![side].push(p.amount)
    }
  }
  return (
    <Detail
      object={x}
      path={'/v1/ledger/transactions/' + id}
      back="/ledger/transactions"
      backName={t('nav.ledger_transactions')}
      title={`${label('cause', x.cause)} · ${money(moved(x), x.currency)}`}
      command={`giro transactions get ${x.id}`}
      aside={
        <Card title={t('details')}>
          <Facts
            items={[
              [t('col.sequence'), x.sequence],
              [t('col.source'), x.source ? <ID key="s" value={x.source} /> : null],
              [t('col.created'), <Time key="t" at={x.created} style="long" />],
              [t('col.hash'), <code key="h" className="break">{x.hash}</code>],
            ]}
          />
        </Card>
      }
    >
      <Card title={t('t_accounts')} actions={<span className="ok small"><Icon name="check" size={13} /> {t('balanced')}</span>}>
        <div className="taccounts">
          {[...sides].map(([account, side]) => (
            <section key={account} className="taccount" aria-label={accountName(accounts.get(account), account)}>
              <h3>
                <A href={'/ledger/accounts/' + account}>{accountName(accounts.get(account), account)}</A>
              </h3>
              <div>
                <span className="muted small">{t('debit')}</span>
                {side.debit.map((a, i) => (
                  <span key={i}>{money(a, x.currency)}</span>
                ))}
              </div>
              <div>
                <span className="muted small">{t('credit')}</span>
                {side.credit.map((a, i) => (
                  <span key={i}>{money(a, x.currency)}</span>
                ))}
              </div>
            </section>
          ))}
        </div>
      </Card>
      <Card title={t('postings')}>
        <Postings transaction={x} name={(a) => accountName(accounts.get(a), a)} />
      </Card>
      <Chain transaction={x} />
    </Detail>
  )
}

/** The links before and after: each hash is made with the one before it. */
function Chain({ transaction: x }: { transaction: LedgerTransaction }) {
  const before = useRead('/v1/ledger/transactions', [], { before: String(x.sequence), limit: '1' }, { enabled: x.sequence > 1 })
  const after = useRead('/v1/ledger/transactions', [], { before: String(x.sequence + 2), limit: '1' })
  const links = [(before.data?.data as LedgerTransaction[] | undefined)?.[0], x, (after.data?.data as LedgerTransaction[] | undefined)?.find((l) => l.sequence === x.sequence + 1)]
  return (
    <Card title={t('chain')}>
      <ol className="chain" aria-label={t('chain')}>
        {links.map((l) =>
          l ? (
            <li key={l.id} className={l === x ? 'on' : undefined} aria-current={l === x ? 'true' : undefined}>
              <span className="muted small">#{l.sequence}</span> {l === x ? <code>{l.id}</code> : <ID value={l.id} long />}
              <code className="block break small muted">{l.hash}</code>
            </li>
          ) : null,
        )}
      </ol>
      <p className="muted small">{t('proof_note')}</p>
    </Card>
  )
}

type Entry = Schema<'Entry'>

const order = ['main', 'sub', 'pending', 'reserved', 'sub_reserved', 'returns', 'clearing', 'fees', 'suspense', 'intermerchant']

/** What an account belongs to: what others owe, what is owed to others, and what is neither. */
const classes = ['assets', 'liabilities', 'income', 'suspense'] as const
function classOf(a: Account): (typeof classes)[number] {
  return a.kind === 'clearing' ? 'assets' : a.kind === 'fees' ? 'income' : a.kind === 'suspense' || a.kind === 'intermerchant' ? 'suspense' : 'liabilities'
}

/** A balance as people read it: debits less credits of what is an asset, the other way round of all else. */
function natural(a: Account, balance: Minor = a.balance): Minor {
  return classOf(a) === 'assets' ? opposite(balance) : balance
}

/** An account's last 30 days. */
function AccountSpark({ account: a }: { account: Account }) {
  const values = useTrend(a.id)?.balances
  return values?.some((v) => v !== 0) ? <Spark values={values.map((v) => Number(natural(a, v)))} /> : null
}

/** The chart of accounts as a tree: currency, then what the account is for. */
export function LedgerAccountsPage() {
  const [search, setSearch] = useSearch()
  const query = { kind: order.join(','), limit: '100', ...pastOf(search), ...(search.cursor ? { cursor: search.cursor } : {}) }
  const q = useRead('/v1/accounts', [], query, { keep: true })
  usePageRequest({ method: 'GET', path: '/v1/accounts', query, data: q.data?.data, command: 'giro accounts list' })
  const proof = useRead('/v1/ledger/trial_balance')
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  const text = (search.q ?? '').toLowerCase()
  const list = ((q.data?.data as Account[] | undefined) ?? []).filter((a) => !text || (accountName(a, a.id) + a.id).toLowerCase().includes(text))
  const more = !!q.data?.next?.cursor || !!search.cursor
  const currencies = [...new Set(list.map((a) => a.currency))].sort()
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.ledger_accounts')}</h1>
        <AsOf />
      </div>
      {pastOf(search).at && search.at && <p className="notice">{t('balances_then', { at: time(instant(search.at), 'full') })}</p>}
      <div className="toolbar">
        <label className="grow search-field">
          <Icon name="search" />
          <input type="search" value={search.q ?? ''} placeholder={t('filter_accounts')} aria-label={t('filter_accounts')} onChange={(e) => setSearch({ q: e.target.value || undefined }, true)} />
        </label>
      </div>
      {!q.data ? (
        <Loading />
      ) : (
        <Card>
          <div className="tree">
            {currencies.map((c) => {
              const line = proof.data?.data.currencies.find((x) => x.currency === c)
              return (
                <details key={c} open>
                  <summary>
                    <strong>{c.toUpperCase()}</strong>
                    <span className="grow" />
                    {line && !search.at && (
                      <span className="small muted">
                        {t('sides_equal', { debits: money(line.debits, c), credits: money(line.credits, c) })} <Icon name="check" size={13} />
                      </span>
                    )}
                  </summary>
                  {classes.map((group) => {
                    const inside = list.filter((a) => a.currency === c && classOf(a) === group)
                    if (inside.length === 0) return null
                    return (
                  <details key={group} open className="branch">
                    <summary>
                      {t(`class.${group}`)} <span className="muted small">{t(group === 'assets' ? 'class.debit' : 'class.credit')}</span>
                      <span className="grow" />
                      {!more && <Money amount={sum(inside.map((a) => natural(a)))} currency={c} />}
                    </summary>
                  <ul>
                    {inside
                      .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || (a.name ?? '').localeCompare(b.name ?? ''))
                      .map((a) => (
                        <li key={a.id}>
                          <A href={'/ledger/accounts/' + a.id}>{accountName(a, a.id)}</A>
                          {a.closed && <span className="muted small">{label('status', 'closed')}</span>}
                          <span className="grow" />
                          {!search.at && <AccountSpark account={a} />}
                          <Money amount={natural(a)} currency={a.currency} />
                        </li>
                      ))}
                  </ul>
                  </details>
                    )
                  })}
                </details>
              )
            })}
          </div>
          <p className="muted small">{t('normal_side_note')}</p>
          {(q.data.next?.cursor || search.cursor) && (
            <div className="pager">
              <span className="grow" />
              <button type="button" disabled={!search.cursor} onClick={() => setSearch({ cursor: undefined })}>
                {t('list.first')}
              </button>
              <button type="button" disabled={!q.data.next?.cursor} onClick={() => setSearch({ cursor: q.data.next?.cursor })} aria-label={t('list.next')}>
                <Icon name="right" />
              </button>
            </div>
          )}
        </Card>
      )}
    </>
  )
}

/** What a request adds for the past moment that the URL names, in UTC; nothing for now. */
export function pastOf(search: Search): { at?: string } {
  const ms = search.at ? instant(search.at) : NaN
  return Number.isNaN(ms) ? {} : { at: new Date(ms).toISOString() }
}

/** What of the URL names a moment, NaN for now. A place in a list belongs to the moment it was read at. */
function momentOf(ms: number): Record<string, string | undefined> {
  return { at: Number.isNaN(ms) ? undefined : new Date(ms).toISOString().slice(0, 19) + 'Z', cursor: undefined, 'entries.cursor': undefined }
}

/** A past moment by the reader's clock, kept in the URL as `at`, in UTC. */
export function AsOf() {
  const [search, setSearch] = useSearch()
  const [typed, setTyped] = useState<string>()
  useEffect(() => setTyped(undefined), [search.at])
  return (
    <div className="row">
      <Field label={t('as_of', { zone: zoneName(pastOf(search).at ? instant(search.at!) : undefined) })}>
        {(id) => (
          <input
            id={id}
            type="datetime-local"
            step={1}
            value={typed ?? (pastOf(search).at ? clockOf(instant(search.at!)) : '')}
            onChange={(e) => {
              const ms = instantOf(e.target.value)
              setTyped(e.target.value)
              // A year is typed digit by digit: 0002, 0020, 0202.
              if (ms < 0) return
              setSearch(momentOf(ms), true)
            }}
          />
        )}
      </Field>
      {search.at && (
        <button type="button" onClick={() => setSearch(momentOf(NaN))}>
          {t('now')}
        </button>
      )}
    </div>
  )
}

export function LedgerAccountPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const [search, setSearch] = useSearch()
  const q = useRead('/v1/accounts/{id}', [id])
  const past = useRead('/v1/accounts/{id}', [id], pastOf(search), { enabled: !!pastOf(search).at, keep: true })
  const a = q.data?.data
  const line = useRead('/v1/accounts/{id}/entries', [id], { limit: '100' }, { keep: true })
  const trend = useTrend(line.data?.next ? id : undefined)
  const at = pastOf(search).at ? instant(search.at!) / 1000 : undefined
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!a) return <Loading />
  // What has moved little is shown movement by movement, what has moved much day by day.
  const entries = ((line.data?.data as Entry[] | undefined) ?? []).slice().reverse()
  const days = line.data?.next && trend ? trend.balances.map((value, i, all) => ({ at: trend.now - (all.length - 1 - i) * 86_400, value: Number(natural(a, value)) })) : undefined
  const points = days ?? entries.map((e) => ({ at: e.created, value: Number(natural(a, e.balance)) }))
  const shown = at === undefined ? a.balance : past.data?.data.balance
  const list: List<Entry> = {
    name: 'entries',
    title: 'statement',
    path: '/v1/accounts/{id}/entries',
    values: [id],
    fixed: pastOf(search),
    id: (e) => `${e.sequence}-${e.balance}-${e.amount}`,
    inner: true,
    columns: [
      { id: 'created', header: 'col.created', cell: (e) => <Time at={e.created} style="long" /> },
      { id: 'sequence', header: 'col.sequence', end: true, cell: (e) => e.sequence },
      { id: 'debit', header: 'debit', end: true, cell: (e) => (e.amount < 0 ? <Money amount={-e.amount} currency={a.currency} /> : '') },
      { id: 'credit', header: 'credit', end: true, cell: (e) => (e.amount > 0 ? <Money amount={e.amount} currency={a.currency} /> : '') },
      { id: 'balance', header: 'col.balance', end: true, cell: (e) => <Money amount={natural(a, e.balance)} currency={a.currency} /> },
    ],
  }
  return (
    <Detail
      object={a}
      path={'/v1/accounts/' + id}
      back="/ledger/accounts"
      backName={t('nav.ledger_accounts')}
      title={accountName(a, id)}
      command={`giro accounts statement ${id}`}
      aside={
        <Card title={t('details')}>
          <Facts
            items={[
              [t('col.balance'), <Money key="b" amount={natural(a)} currency={a.currency} />],
              [t('normal_side'), a.kind === 'clearing' ? t('debit') : t('credit')],
              [t('kind'), label('role', a.kind)],
              [t('may_go_negative'), a.allow_negative ? t('yes') : t('no')],
              [t('col.created'), <Time key="c" at={a.created} style="long" />],
            ]}
          />
          <Code text={`giro accounts statement ${id}`} label={t('command')} />
        </Card>
      }
    >
      <Card
        title={at === undefined ? t('balance_now') : t('balance_then')}
        actions={<AsOf />}
      >
        <p className="big">{shown === undefined ? '—' : <Money amount={natural(a, shown)} currency={a.currency} />}</p>
        {points.length > 1 && (
          <StepLine
            points={points}
            format={(v) => money(v, a.currency)}
            axis={(v) => moneyShort(v, a.currency)}
            label={t('balance_line')}
            at={at}
            onPick={(seconds) => setSearch(momentOf(seconds * 1000), true)}
          />
        )}
        {points.length > 1 && <p className="muted small">{t(days ? 'balance_line.days' : 'balance_line.entries')}</p>}
      </Card>
      <Card
        title={t('statement')}
        actions={
          <button type="button" className="small" onClick={() => downloadStatement(id)}>
            <Icon name="export" size={13} /> {t('save_csv')}
          </button>
        }
      >
        <ListView {...list} />
      </Card>
    </Detail>
  )
}

