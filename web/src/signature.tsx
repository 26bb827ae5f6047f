import { useState } from 'react'
import { ago } from './format.ts'
import { type Key, t } from './i18n/index.ts'
import { Dialog } from './ui/dialog.tsx'
import { Field } from './ui/parts.tsx'

interface Verdict {
  state: 'ok' | 'warn' | 'bad'
  text: string
}

const refused = (key: Key, values?: Record<string, string>): Verdict => ({ state: 'bad', text: t(key, values) })

/** How far a receiver lets the time of a message be from its own, in seconds. */
const tolerance = 300

/** Checks a message as a receiver does, by Standard Webhooks 1.0: HMAC-SHA256 over id, time and the body's bytes. */
export async function verify(secret: string, headers: string, body: string): Promise<Verdict> {
  const sent = new Map(headers.split('\n').map((line): [string, string] => {
    const at = line.indexOf(':')
    return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()]
  }))
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) if (!sent.get(name)) return refused('signature.missing', { name })
  const time = sent.get('webhook-timestamp')!
  if (!/^\d{1,12}$/.test(time)) return refused('signature.timestamp_bad')
  let key: Uint8Array<ArrayBuffer>
  try {
    key = Uint8Array.from(atob(secret.trim().replace(/^whsec_/, '')), (c) => c.charCodeAt(0))
  } catch {
    return refused('signature.secret_bad')
  }
  if (key.length === 0) return refused('signature.secret_bad')
  const hmac = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signed = new Uint8Array(await crypto.subtle.sign('HMAC', hmac, new TextEncoder().encode(`${sent.get('webhook-id')}.${time}.${body}`)))
  const want = 'v1,' + btoa(String.fromCharCode(...signed))
  if (!sent.get('webhook-signature')!.split(/\s+/).includes(want)) return refused('signature.no_match')
  const old = Math.abs(Date.now() / 1000 - Number(time)) > tolerance
  return old ? { state: 'warn', text: t('signature.old', { ago: ago(Number(time) * 1000) }) } : { state: 'ok', text: t('signature.ok') }
}

/** A message, a secret, and whether they fit. */
export function SignatureDialog({ headers = '', body = '', onClose }: { headers?: string; body?: string; onClose: () => void }) {
  const [secret, setSecret] = useState('')
  const [lines, setLines] = useState(headers)
  const [text, setText] = useState(body)
  const [verdict, setVerdict] = useState<Verdict>()
  return (
    <Dialog title={t('signature')} kind="wide" onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          e.stopPropagation() // it may stand within another dialog's form
          void verify(secret, lines, text).then(setVerdict)
        }}
        onChange={() => setVerdict(undefined)}
      >
        <p className="muted small">{t('signature.note')}</p>
        <Field label={t('signature.secret')}>{(id) => <input id={id} required value={secret} autoComplete="off" spellCheck={false} onChange={(e) => setSecret(e.target.value)} />}</Field>
        <Field label={t('signature.headers')}>{(id) => <textarea id={id} required rows={4} value={lines} spellCheck={false} placeholder={'webhook-id: evt_…\nwebhook-timestamp: 1767225600\nwebhook-signature: v1,…'} onChange={(e) => setLines(e.target.value)} />}</Field>
        <Field label={t('signature.body')}>{(id) => <textarea id={id} required rows={7} value={text} spellCheck={false} onChange={(e) => setText(e.target.value)} />}</Field>
        <p className={verdict?.state} role="status" aria-live="polite">
          {verdict?.text}
        </p>
        <footer className="dialog-foot">
          <span className="grow" />
          <button type="button" onClick={onClose}>
            {t('close')}
          </button>
          <button type="submit" className="primary">
            {t('signature.check')}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
