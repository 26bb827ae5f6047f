import { type Account, useAccount } from '../data.ts'
import { label } from '../i18n/index.ts'
import { A } from '../nav.tsx'
import { useMay } from '../session.ts'
import { ID } from '../ui/parts.tsx'

/** What people call an account: its own name, or its place in the chart. */
export function accountName(a: Account | undefined, id: string): string {
  if (!a) return id.slice(0, 9) + '…' + id.slice(-5)
  const role = label('role', a.kind)
  const currency = a.currency.toUpperCase()
  if (a.kind === 'sub') return `${a.name ?? role} (${currency})`
  if (a.kind === 'clearing') return `${role}: ${a.name ?? '—'} (${currency})`
  return `${role} (${currency})`
}

/** A link to an account by its name, for who may look at accounts; its id for others, and until the name is known. */
export function AccountLink({ id }: { id: string }) {
  const a = useAccount(useMay()('balances.read') ? id : undefined)
  return a ? (
    <A href={'/ledger/accounts/' + id} className="clip" title={id}>
      {accountName(a, id)}
    </A>
  ) : (
    <ID value={id} />
  )
}
