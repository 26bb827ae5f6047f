import { type ReactNode, useState } from 'react'
import { asCurl, post, type Schema } from './api/client.ts'
import { changed } from './data.ts'
import { decimal, instant, time } from './format.ts'
import { t } from './i18n/index.ts'
import { useGo } from './nav.tsx'
import { useMay, usePlace } from './session.ts'
import { Icon } from './ui/icon.tsx'
import { Code, Failure } from './ui/parts.tsx'

export type FirstKind = 'charges' | 'refunds' | 'payouts' | 'transfers' | 'customers'

/** A request that makes the first of a kind, and the same for giro's command line. */
function example(kind: FirstKind, currency: string, live: boolean): { body: object; command: string } {
  const money = `--amount ${decimal(1000, currency)} --currency ${currency}`
  switch (kind) {
    case 'charges': {
      const token = live ? 'tok_…' : 'tok_ok'
      return { body: { amount: 1000, currency, provider: 'card', card: { token } }, command: `giro charges create ${money} --card-token ${token}` }
    }
    case 'refunds':
      return { body: { charge: 'ch_…', amount: 500 }, command: `giro refunds create ch_… --amount 5.00` }
    case 'payouts':
      return { body: { amount: 1000, currency: 'brl', provider: 'bank', bank: { method: 'pix', key: 'maria@example.com' }, recipient: { name: 'Maria' } }, command: 'giro payouts create --amount 10.00 --currency brl --pix-key maria@example.com --name Maria' }
    case 'transfers':
      return { body: { amount: 1000, currency, destination: 'acct_…' }, command: `giro transfers create ${money} --to acct_…` }
    default:
      return { body: { name: 'Maria', email: 'maria@example.com' }, command: 'giro customers create --name Maria --email maria@example.com' }
  }
}

const upper = (name: string) => name.replace(/(^|_)(.)/g, (_all, _mark, letter: string) => letter.toUpperCase())

/** A body as a literal of package client, whose fields are named as the API's members. */
function literal(type: string, body: object): string {
  const types: Record<string, string> = { card: 'Card', bank: 'Bank', recipient: 'Party' }
  const fields = Object.entries(body).map(([name, v]) => `${upper(name)}: ${typeof v === 'object' ? literal(types[name]!, v as object) : JSON.stringify(v)}`)
  return `&client.${type}{${fields.join(', ')}}`
}

/** The same in Go, as a whole program. */
function program(kind: FirstKind, body: object, secret?: string): string {
  const noun = upper(kind.slice(0, -1))
  return `package main

import (
\t"context"
\t"fmt"
\t"log"${secret ? '' : '\n\t"os"'}

\t"giro/client"
)

func main() {
\tc, err := client.New(${JSON.stringify(location.origin)}, ${secret ? JSON.stringify(secret) : 'os.Getenv("GIRO_API_KEY")'}, client.Options{})
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tmade, err := c.${upper(kind)}.Create(context.Background(), ${literal(noun + 'Create', body)})
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tfmt.Println(made.ID)
}
`
}

/** What stands where nothing is yet: the request that makes the first one, with a key to try it. */
export function FirstSteps({ kind, children }: { kind: FirstKind; children: ReactNode }) {
  const { merchant, live } = usePlace()
  const may = useMay()
  const go = useGo()
  const [key, setKey] = useState<Schema<'APIKey'>>()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const { body, command } = example(kind, (merchant.currency ?? 'usd').toLowerCase(), live)
  const secret = key?.secret
  const run = async (act: () => Promise<void>) => {
    setBusy(true)
    setError(undefined)
    await act().catch(setError)
    setBusy(false)
  }
  const makeKey = async () => {
    const made = await post('/v1/api_keys', [], { name: t('first.key_name'), expires_at: Math.floor(Date.now() / 1000) + 3600 }, crypto.randomUUID())
    setKey(made.data)
    changed('/v1/api_keys')
  }
  const make = async () => {
    const made = await post('/v1/charges', [], body, crypto.randomUUID())
    changed('/v1/charges', '/v1/balances', '/v1/figures')
    go('/payments/' + made.data.id)
  }
  return (
    <div className="first">
      <p>{children}</p>
      <div>
        <p className="muted small">{t('first.http')}</p>
        <Code text={asCurl('POST', '/v1/' + kind, undefined, body, secret)} label={t('request')} />
      </div>
      <div>
        <p className="muted small">{t('first.command')}</p>
        <Code text={`${secret ? `GIRO_API_KEY=${secret} ` : ''}GIRO_URL=${location.origin} \\\n  ${command}`} label={t('command')} />
      </div>
      <details>
        <summary>{t('first.go')}</summary>
        <Code text={program(kind, body, secret)} label={t('first.go')} />
      </details>
      {secret && (
        <p className="ok" role="status">
          <Icon name="key" size={14} /> {t('first.key_made', { at: time(instant(key!.expires_at!), 'clock') })}
        </p>
      )}
      {error !== undefined && <Failure error={error} />}
      <p className="row wrap">
        {kind === 'charges' && !live && may('charges.write') && (
          <button type="button" className="primary" disabled={busy} onClick={() => void run(make)}>
            <Icon name="plus" /> {t('empty.test_payment')}
          </button>
        )}
        {!live && !secret && may('developers.write') && (
          <button type="button" disabled={busy} onClick={() => void run(makeKey)}>
            <Icon name="key" /> {t('first.make_key')}
          </button>
        )}
        <a className="button" href="/docs" target="_blank" rel="noreferrer">
          <Icon name="link" /> {t('api_docs')}
        </a>
      </p>
    </div>
  )
}
