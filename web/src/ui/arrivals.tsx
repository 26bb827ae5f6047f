import type { Schema } from '../api/client.ts'
import { webhooksQuery } from '../asks.ts'
import { useRead } from '../data.ts'
import { number } from '../format.ts'
import { t } from '../i18n/index.ts'
import { Ranking } from './chart.tsx'

/** The attempts of the last 24 hours, by the hour. */
export function useWebhookFigures(endpoint?: string) {
  return useRead('/v1/webhook_endpoints/figures', [], webhooksQuery(endpoint), { keep: true, poll: 10_000 }).data?.data
}

/** At which attempt deliveries arrived. */
export function Arrivals({ totals: w }: { totals: Schema<'WebhookTotals'> }) {
  const rows = ([['dev.first', w.delivered_first], ['dev.second', w.delivered_second], ['dev.later', w.delivered_later], ['dev.given_up', w.given_up]] as const).map(([key, value]) => ({ key, name: t(key), value, text: number(value), className: key === 'dev.given_up' ? 'c-bad' : undefined }))
  return <Ranking label={t('webhooks.deliveries')} rows={rows} />
}
