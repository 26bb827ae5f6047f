import type { Schema } from '../api/client.ts'
import { useRead } from '../data.ts'
import { number } from '../format.ts'
import { label, t, tn } from '../i18n/index.ts'
import { Icon } from './icon.tsx'
import { Ago, Failure } from './parts.tsx'

/** The ledger's own proof: how far it reaches and that both sides are equal. */
export function Proof() {
  const q = useRead('/v1/ledger/trial_balance')
  if (q.error) return <Failure error={q.error} />
  const p = q.data?.data
  if (!p) return null
  const equal = p.currencies.every((c) => String(c.debits) === String(c.credits))
  return (
    <p className={'proof ' + (equal ? 'ok' : 'bad')}>
      <Icon name={equal ? 'shield' : 'warn'} size={14} /> {equal ? tn('ledger_balanced', p.sequence, { n: number(p.sequence) }) : t('ledger_unbalanced')} · <Ago at={Math.round((q.dataUpdatedAt || Date.now()) / 1000)} />
    </p>
  )
}

/** What the last recomputation of the ledger found. */
export function Verified({ v }: { v: Schema<'Verification'> }) {
  const bad = v.state === 'faulty' || v.state === 'failed'
  return (
    <p className={'proof ' + (v.state === 'ok' ? 'ok' : bad ? 'bad' : 'muted')}>
      <Icon name={v.state === 'ok' ? 'shield' : bad ? 'warn' : 'info'} size={14} /> {label('verification', v.state)}
      {v.entries !== null && <> · {tn('verified_entries', v.entries, { n: number(v.entries) })}</>}
      {v.finished_at && (
        <>
          {' · '}
          <Ago at={v.finished_at} />
        </>
      )}
    </p>
  )
}
