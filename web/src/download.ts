import { currentScope, type Query, queryText } from './api/client.ts'
import { t } from './i18n/index.ts'
import { toast } from './ui/parts.tsx'

/** Hands a text to the browser to keep as a file. */
export function saveText(name: string, text: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** Fetches a CSV: the browser streams it to disk, with the session's cookie. */
function fetchCSV(kind: string, query: Query) {
  const scope = currentScope()
  const link = document.createElement('a')
  link.href = `/v1/exports/${kind}` + queryText({ ...query, giro_merchant: scope.merchant, giro_mode: scope.live ? 'live' : 'test' })
  link.download = `${kind}-${new Date().toISOString().slice(0, 10)}.csv`
  link.click()
  toast(t('export.started'))
}

/** A list with its filters, as a CSV. */
export function download(kind: string, query: Query) {
  const { limit: _limit, cursor: _cursor, before: _before, ...filters } = query
  fetchCSV(kind, filters)
}

/** Every entry of an account, as a CSV. */
export function downloadStatement(account: string) {
  fetchCSV('entries', { account })
}
