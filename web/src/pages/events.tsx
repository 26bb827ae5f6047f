import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { Confirm } from '../actions.tsx'
import { post } from '../api/client.ts'
import { changed, useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { FirstSteps } from '../first.tsx'
import { t, tn } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import type { Event } from '../live.ts'
import { pageOf } from '../nav.tsx'
import { useMay } from '../session.ts'
import { EventDeliveries } from '../ui/deliveries.tsx'
import { Card, Facts, Failure, ID, JSONView, Loading, Time, toast } from '../ui/parts.tsx'

/** The object that an event is about. */
function objectOf(e: Event): string {
  return (e.data as { object?: { id?: string } }).object?.id ?? ''
}

export function EventsPage() {
  return (
    <ListView<Event>
      name="events"
      title="nav.events"
      path="/v1/events"
      id={(e) => e.id}
      href={(e) => '/developers/events/' + e.id}
      command="giro events list"
      empty={<FirstSteps kind="charges">{t('empty.events')}</FirstSteps>}
      columns={[
        { id: 'type', header: 'col.type', cell: (e) => <code>{e.type}</code> },
        { id: 'object', header: 'col.object', cell: (e) => (objectOf(e) ? <ID value={objectOf(e)} /> : undefined) },
        { id: 'sequence', header: 'col.sequence', end: true, cell: (e) => e.sequence },
        { id: 'created', header: 'col.created', cell: (e) => <Time at={e.created} style="long" /> },
        { id: 'id', header: 'col.id', off: true, cell: (e) => <ID value={e.id} link={false} /> },
      ]}
      filters={[
        { id: 'types', kind: 'choice', label: 'col.type', param: 'types', options: ['charge.*', 'refund.*', 'payout.*', 'transfer.*', 'webhook_endpoint.*'] },
        { id: 'object', kind: 'text', label: 'col.object', param: 'object' },
      ]}
    />
  )
}

/** To whom an event went; all of them can be told again. */
function Sent({ event, at }: { event: string; at: number }) {
  const may = useMay()
  const [again, setAgain] = useState(false)
  if (!may('developers.read')) return null
  return (
    <Card
      title={t('webhooks.deliveries')}
      actions={
        may('developers.write') && (
          <button type="button" className="small" onClick={() => setAgain(true)}>
            {t('webhooks.resend_all')}…
          </button>
        )
      }
    >
      <EventDeliveries event={event} at={at} none={t('webhooks.no_deliveries')} />
      {again && (
        <Confirm
          title={t('webhooks.resend_all')}
          label={t('webhooks.resend_all')}
          onClose={() => setAgain(false)}
          run={async (key) => {
            await post('/v1/events/{id}/resend', [event], {}, key)
            changed(`/v1/events/${event}`)
            toast(tn('webhooks.resent', 1))
          }}
        >
          <p>{t('webhooks.resend_all_note')}</p>
        </Confirm>
      )}
    </Card>
  )
}

export function EventPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const q = useRead('/v1/events/{id}', [id])
  const e = q.data?.data as Event | undefined
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!e) return <Loading />
  const object = objectOf(e)
  return (
    <Detail
      object={e}
      path={'/v1/events/' + id}
      back="/developers/events"
      backName={t('nav.events')}
      title={<code>{e.type}</code>}
      command={`giro events get ${id}`}
      aside={
        <Card title={t('details')}>
          <Facts
            items={[
              [t('col.sequence'), e.sequence],
              [t('col.object'), object && pageOf(object) ? <ID key="o" value={object} /> : object || null],
              [t('col.created'), <Time key="c" at={e.created} style="long" />],
            ]}
          />
        </Card>
      }
    >
      <Sent event={id} at={e.created} />
      <Card title={t('event_body')}>
        <p className="muted small">{t('event_body_note')}</p>
        <JSONView value={e} />
      </Card>
    </Detail>
  )
}
