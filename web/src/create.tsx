import { useState } from 'react'
import { asCurl, post } from './api/client.ts'
import { changed, useRead, type Account } from './data.ts'
import { money, parseAmount } from './format.ts'
import { type Key, label, t } from './i18n/index.ts'
import { useGo } from './nav.tsx'
import { usePlace } from './session.ts'
import { accountName } from './kinds/account.tsx'
import { Dialog } from './ui/dialog.tsx'
import { copy, Failure, Field, toast } from './ui/parts.tsx'

type Kind = 'charges' | 'payouts' | 'transfers' | 'customers'

const names: Record<Kind, string> = { charges: '/payments/', payouts: '/payouts/', transfers: '/transfers/', customers: '/customers/' }

/** Makes a movement or a customer: the same request that a program would send. */
export default function CreateDialog({ kind, onClose }: { kind: Kind; onClose: () => void }) {
  const place = usePlace()
  const go = useGo()
  const [key] = useState(() => crypto.randomUUID())
  const [v, setV] = useState<Record<string, string>>({
    currency: (place.merchant.currency ?? 'usd').toUpperCase(),
    how: kind === 'payouts' ? 'pix' : 'card',
    token: place.live ? '' : 'tok_ok',
  })
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const accounts = useRead('/v1/accounts', [], { limit: '100' }, { enabled: kind === 'transfers' })
  const currency = v.currency ?? ''
  const minor = /^[A-Za-z]{3}$/.test(currency) ? parseAmount(v.amount ?? '', currency) : undefined
  const set = (name: string) => (e: { target: { value: string } }) => setV((x) => ({ ...x, [name]: e.target.value }))
  const some = (o: Record<string, unknown>) => Object.fromEntries(Object.entries(o).filter(([, x]) => x !== undefined && x !== ''))
  const body = (): Record<string, unknown> => {
    const common = { amount: minor, currency: currency.toLowerCase(), reference: v.reference, description: v.description }
    switch (kind) {
      case 'charges':
        return some({ ...common, provider: v.how === 'card' ? 'card' : 'bank', ...(v.how === 'card' ? { card: { token: v.token } } : { bank: { method: v.how } }), capture: v.how === 'card' && v.authorise ? false : undefined })
      case 'payouts': {
        const bank = { pix: { method: 'pix', key: v.key }, spei: { method: 'spei', account: v.key }, sepa: { method: 'sepa', iban: v.key }, transfer: some({ method: 'transfer', country: v.country, bank_code: v.bank_code, account_number: v.key, account_type: v.account_type }) }[v.how as 'pix']
        return some({ ...common, provider: 'bank', bank, recipient: v.name ? some({ name: v.name, document: v.document ? { type: v.document_type || 'CPF', number: v.document } : undefined }) : undefined })
      }
      case 'transfers':
        return some({ ...common, from_account: v.from, destination: v.destination, pending: v.pending ? true : undefined })
      default:
        return some({ name: v.name, email: v.email, phone: v.phone, reference: v.reference, description: v.description, document: v.document ? { type: v.document_type || 'CPF', number: v.document } : undefined })
    }
  }
  const moves = kind !== 'customers'
  const ready = kind === 'customers' ? !!v.name : minor !== undefined && (kind !== 'transfers' || !!v.destination)
  const ask = place.live && moves && kind !== 'charges'
  const path = `/v1/${kind}` as const
  const submit = async () => {
    if (busy || !ready || (ask && typed !== '1')) return
    setBusy(true)
    setError(undefined)
    try {
      const made = await post(path as '/v1/charges', [], body(), key)
      changed(path, '/v1/balances')
      toast(t('done.created'))
      onClose()
      go(names[kind] + (made.data as { id: string }).id)
    } catch (err) {
      setError(err)
      setBusy(false)
    }
  }
  const text = (name: string, key: Key, more: { hint?: Key; required?: boolean; mode?: 'decimal' | 'email' | 'tel' } = {}) => (
    <Field label={t(key)} hint={more.hint && t(more.hint)}>
      {(id, d) => <input id={id} aria-describedby={d} value={v[name] ?? ''} onChange={set(name)} required={more.required} inputMode={more.mode} autoComplete="off" />}
    </Field>
  )
  const choice = (name: string, key: Key, options: [string, string][]) => (
    <Field label={t(key)}>
      {(id) => (
        <select id={id} value={v[name] ?? ''} onChange={set(name)}>
          {options.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
  const list = ((accounts.data?.data as Account[] | undefined) ?? []).filter((a) => !a.closed && a.currency === currency.toLowerCase())
  const main = list.find((a) => a.kind === 'main')
  return (
    <Dialog title={t(`create.${kind}`)} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void submit()
        }}
      >
        {moves && (
          <div className="row top">
            <div className="grow">{text('amount', 'field.amount', { required: true, mode: 'decimal' })}</div>
            <div className="narrow-field">{text('currency', 'col.currency', { required: true })}</div>
          </div>
        )}
        {kind === 'charges' && (
          <>
            {choice('how', 'col.method', [['card', label('provider', 'card')], ['pix', label('method', 'pix')], ['boleto', label('method', 'boleto')]])}
            {v.how === 'card' && text('token', 'field.token', { hint: place.live ? undefined : 'field.token_hint' })}
            {v.how === 'card' && (
              <label className="check">
                <input type="checkbox" checked={!!v.authorise} onChange={(e) => setV((x) => ({ ...x, authorise: e.target.checked ? '1' : '' }))} /> {t('field.authorise')}
              </label>
            )}
          </>
        )}
        {kind === 'payouts' && (
          <>
            {choice('how', 'col.method', ['pix', 'spei', 'sepa', 'transfer'].map((m) => [m, label('method', m)]))}
            {v.how === 'transfer' && (
              <div className="row top">
                <div className="narrow-field">{text('country', 'field.country')}</div>
                <div className="grow">{text('bank_code', 'field.bank_code')}</div>
              </div>
            )}
            {text('key', v.how === 'pix' ? 'field.pix_key' : v.how === 'spei' ? 'field.clabe' : v.how === 'sepa' ? 'field.iban' : 'field.account_number')}
            {text('name', 'col.recipient')}
            <div className="row top">
              <div className="narrow-field">{text('document_type', 'kind')}</div>
              <div className="grow">{text('document', 'document')}</div>
            </div>
          </>
        )}
        {kind === 'transfers' && (
          <>
            {choice('from', 'col.from', [['', main ? `${t('main_account')} · ${money(main.balance, main.currency)}` : t('main_account')], ...list.filter((a) => a.kind === 'sub').map((a): [string, string] => [a.id, `${accountName(a, a.id)} · ${money(a.balance, a.currency)}`])])}
            {choice('destination', 'col.to', [['', '—'], ...list.filter((a) => a.id !== (v.from || main?.id)).map((a): [string, string] => [a.id, accountName(a, a.id)])])}
            <label className="check">
              <input type="checkbox" checked={!!v.pending} onChange={(e) => setV((x) => ({ ...x, pending: e.target.checked ? '1' : '' }))} /> {t('field.two_phase')}
            </label>
          </>
        )}
        {kind === 'customers' && (
          <>
            {text('name', 'field.name', { required: true })}
            {text('email', 'field.email', { mode: 'email' })}
            {text('phone', 'field.phone', { mode: 'tel', hint: 'field.phone_hint' })}
            <div className="row top">
              <div className="narrow-field">{text('document_type', 'kind')}</div>
              <div className="grow">{text('document', 'document')}</div>
            </div>
          </>
        )}
        {text('reference', 'field.reference')}
        {text('description', 'field.description')}
        {moves && minor !== undefined && (
          <ul className="effects">
            <li>{t(`effect.create.${kind as 'charges'}`, { amount: money(minor, currency) })}</li>
          </ul>
        )}
        {ask && (
          <Field label={t('type_count', { n: 1 })} hint={t('live_money')}>
            {(id, d) => <input id={id} aria-describedby={d} inputMode="numeric" autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />}
          </Field>
        )}
        {error !== undefined && <Failure error={error} />}
        <footer className="dialog-foot">
          <button type="button" className="quiet small" onClick={() => void copy(asCurl('POST', path, undefined, body()))}>
            {t('copy_curl')}
          </button>
          <span className="grow" />
          <button type="button" onClick={onClose}>
            {t('not_now')}
          </button>
          <button type="submit" className="primary" disabled={busy || !ready || (ask && typed !== '1')}>
            {busy ? t('working') : t(`create.${kind}`)}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}

