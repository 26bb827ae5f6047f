import { post, type Schema } from '../api/client.ts'
import { changed, useRead } from '../data.ts'
import { instant, number } from '../format.ts'
import { t, tn } from '../i18n/index.ts'
import { A } from '../nav.tsx'
import { useMay } from '../session.ts'
import { Failure, Loading, Status, toast, toastFailure } from './parts.tsx'

type Endpoint = Schema<'WebhookEndpoint'>
type Delivery = Schema<'Delivery'>

/** What people know an endpoint by. */
export const endpointName = (e: Endpoint) => e.url ?? e.description ?? t('webhooks.listener')

/** How often a message is sent by itself before it is given up; docs/webhooks.md says when. */
const attemptsMax = 10

/** Which attempt it was, of how many. What is sent again by hand counts on; a listener takes when it comes. */
export function attemptsOf(d: Delivery, endpoint: Endpoint): string {
  return endpoint.url && d.attempts <= attemptsMax ? t('webhooks.attempts_of', { n: d.attempts, max: attemptsMax }) : number(d.attempts)
}

/** A delivery's state in a word that tells waiting from trying again. */
export function deliveryStatus(d: Delivery): string {
  return { pending: d.attempts > 0 ? 'retrying' : 'waiting', succeeded: 'delivered', failed: 'exhausted' }[d.state]
}

/** To which endpoints an event went, and sending it again. */
export function EventDeliveries({ event, at, none }: { event: string; at: number | string; none?: string }) {
  const may = useMay()
  // What has just happened is sent in a moment: nothing yet is not nothing.
  const young = () => Math.abs(Date.now() - instant(at)) < 60_000
  const unsettled = (answer: unknown) => {
    const list = answer as Delivery[] | undefined
    return list?.some((d) => d.state === 'pending') || (list?.length === 0 && young()) ? 4000 : false
  }
  const q = useRead('/v1/events/{id}/deliveries', [event], undefined, { enabled: may('developers.read'), poll: unsettled })
  const endpoints = useRead('/v1/webhook_endpoints', [], undefined, { enabled: may('developers.read') })
  if (!may('developers.read')) return null
  if (q.error) return <Failure error={q.error} />
  if (!q.data) return <Loading rows={1} />
  const list = (q.data.data ?? []) as Delivery[]
  const names = new Map(((endpoints.data?.data ?? []) as Endpoint[]).map((e) => [e.id, endpointName(e)]))
  const resend = async (endpoint: string) => {
    try {
      await post('/v1/events/{id}/resend', [event], { endpoint }, crypto.randomUUID())
      toast(tn('webhooks.resent', 1))
    } catch (err) {
      toastFailure(err)
    }
    changed(`/v1/events/${event}`)
  }
  if (list.length === 0) return none ? <p className="muted">{none}</p> : null
  return (
    <ul className="deliveries">
      {list.map((d) => (
        <li key={d.endpoint} className="row wrap">
          <A href={`/developers/webhooks/${d.endpoint}?delivery=${d.event}`} className="clip">
            {names.get(d.endpoint) ?? d.endpoint}
          </A>
          <Status value={deliveryStatus(d)} note={d.status ? String(d.status) : undefined} />
          <span className="muted small">{tn('webhooks.attempts_n', d.attempts)}</span>
          {may('developers.write') && (
            <button type="button" className="small" onClick={() => void resend(d.endpoint)}>
              {t('webhooks.resend')}
            </button>
          )}
        </li>
      ))}
    </ul>
  )
}
