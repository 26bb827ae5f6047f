import { asCurl } from '../api/client.ts'
import { usePageRequest, useRead } from '../data.ts'
import { t } from '../i18n/index.ts'
import type { Event } from '../live.ts'
import { A } from '../nav.tsx'
import { usePlace } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Card, Code, Failure, Loading, Time } from '../ui/parts.tsx'

export function DevelopersPage() {
  const place = usePlace()
  usePageRequest({ method: 'GET', path: '/v1/events', query: { limit: '8' }, command: 'giro events list' })
  const body = { amount: 1000, currency: place.merchant.currency ?? 'usd', provider: 'card', card: { token: 'tok_ok' } }
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.developers')}</h1>
      </div>
      <div className="grid halves">
        <Card title={t('first_request')}>
          <p>{t('first_request_note')}</p>
          <Code text={asCurl('POST', '/v1/charges', undefined, body)} label={t('request')} />
          <p className="row wrap">
            <A href="/developers/keys" className="button">
              <Icon name="key" /> {t('nav.keys')}
            </A>
            <a className="button" href="/docs" target="_blank" rel="noreferrer">
              <Icon name="link" /> {t('api_docs')}
            </a>
            <a className="button" href="/openapi.json" target="_blank" rel="noreferrer">
              <Icon name="code" /> {t('openapi')}
            </a>
          </p>
        </Card>
        <Card title={t('nav.webhooks')}>
          <p>{t('webhooks_note')}</p>
          <Code text="giro listen --forward-to localhost:3000/hooks" label={t('command')} />
          <p>
            <A href="/developers/webhooks">{t('nav.webhooks')}</A>
          </p>
        </Card>
        <Card title={t('nav.events')}>
          <Recent />
        </Card>
      </div>
    </>
  )
}

function Recent() {
  const q = useRead('/v1/events', [], { limit: '8' })
  if (q.error) return <Failure error={q.error} />
  if (!q.data) return <Loading />
  return (
    <ol className="feed">
      {(q.data.data as Event[]).map((e) => (
        <li key={e.id}>
          <Time at={e.created} style="short" />
          <A href={'/developers/events/' + e.id}>
            <code>{e.type}</code>
          </A>
        </li>
      ))}
    </ol>
  )
}
