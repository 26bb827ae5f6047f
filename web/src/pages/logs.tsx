import { useParams } from '@tanstack/react-router'
import { asCurl, type Schema } from '../api/client.ts'
import { useRead } from '../data.ts'
import { Detail } from '../detail.tsx'
import { FirstSteps } from '../first.tsx'
import { milliseconds } from '../format.ts'
import { t } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { useSearch } from '../nav.tsx'
import { Card, Code, Facts, Failure, ID, JSONView, Loading, shortID, Time } from '../ui/parts.tsx'
import { parseSearch } from '../url.ts'

type Line = Schema<'RequestLine'>

/** An answer's status: its class is a colour and a word of the wire. */
export function HTTP({ line }: { line: Line }) {
  const kind = line.status >= 500 ? 'failed' : line.status >= 400 ? 'onhold' : 'succeeded'
  return (
    <span className={'status s-' + kind}>
      {line.status}
      {line.code && <span className="status-note">{line.code}</span>}
    </span>
  )
}

export const took = (l: Line) => milliseconds(l.took_us)

/** A path whose ids are shortened in the middle: what is done to them stands behind. */
const shortPath = (path: string) => path.split('/').map(shortID).join('/')

/** What keys asked of the API, and what people changed. */
export function LogsPage() {
  const [search, setSearch] = useSearch()
  const tail = search.tail === 'on'
  return (
    <ListView<Line>
      name="requests"
      title="nav.logs"
      path="/v1/requests"
      id={(l) => l.id}
      href={(l) => '/developers/logs/' + l.id}
      command="giro logs list"
      empty={<FirstSteps kind="charges">{t('empty.logs')}</FirstSteps>}
      poll={tail ? 1500 : undefined}
      still
      page="/developers/logs"
      actions={
        <button type="button" aria-pressed={tail} className={tail ? 'on' : undefined} onClick={() => setSearch({ tail: tail ? undefined : 'on', cursor: undefined, before: undefined }, true)}>
          <span className={'small live-' + (tail ? 'live' : 'paused')}>
            <span className="pulse" aria-hidden="true" />
          </span>{' '}
          {t('logs.tail')}
        </button>
      }
      columns={[
        { id: 'what', header: 'request', cell: (l) => <code className="clip wide" title={`${l.method} ${l.path}`}>{`${l.method} ${shortPath(l.path)}`}</code> },
        { id: 'status', header: 'col.status', cell: (l) => <HTTP line={l} /> },
        { id: 'took', header: 'webhooks.took', end: true, cell: (l) => took(l) },
        { id: 'who', header: 'logs.who', cell: (l) => (l.key ? <ID value={l.key} link={false} /> : l.person && <span className="clip">{l.person}</span>) },
        { id: 'target', header: 'col.object', cell: (l) => (l.target ? <ID value={l.target} /> : undefined) },
        { id: 'idempotency', header: 'logs.idempotency', off: true, cell: (l) => l.idempotency_key && <code className="clip">{l.idempotency_key}</code> },
        { id: 'address', header: 'audit.address', off: true, cell: (l) => l.address },
        { id: 'created', header: 'col.created', cell: (l) => <Time at={l.created} style="long" /> },
        { id: 'id', header: 'col.id', off: true, cell: (l) => <code>{l.id}</code> },
      ]}
      filters={[
        { id: 'status', kind: 'choice', label: 'col.status', param: 'status', options: ['2xx', '4xx', '5xx'], single: true },
        { id: 'created', kind: 'created', label: 'col.created', param: 'created' },
        { id: 'method', kind: 'choice', label: 'logs.method', param: 'method', options: ['GET', 'POST', 'PUT', 'DELETE'] },
        { id: 'operation', kind: 'text', label: 'audit.action', param: 'operation' },
        { id: 'path', kind: 'text', label: 'logs.path', param: 'path' },
        { id: 'took', kind: 'took', label: 'webhooks.took', param: 'took_us' },
        { id: 'key', kind: 'text', label: 'keys.hint', param: 'key' },
        { id: 'target', kind: 'text', label: 'col.object', param: 'target' },
        { id: 'address', kind: 'text', label: 'audit.address', param: 'address' },
        { id: 'idempotency', kind: 'text', label: 'logs.idempotency', param: 'idempotency_key' },
      ]}
    />
  )
}

export function LogPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const q = useRead('/v1/requests/{id}', [id])
  const l = q.data?.data
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!l) return <Loading />
  const query = l.query ? parseSearch(l.query) : undefined
  return (
    <Detail
      object={l}
      path={'/v1/requests/' + id}
      command={`giro logs get ${id}`}
      back="/developers/logs"
      backName={t('nav.logs')}
      title={
        <span className="headline">
          <code>{`${l.method} ${l.path}`}</code> <HTTP line={l} />
        </span>
      }
      aside={
        <Card title={t('details')}>
          <Facts
            items={[
              [t('col.created'), <Time key="c" at={l.created} style="full" />],
              [t('webhooks.took'), took(l)],
              [t('audit.action'), <code key="o">{l.operation}</code>],
              [t('col.object'), l.target ? <ID key="t" value={l.target} /> : undefined],
              [t('logs.query'), l.query ? <code key="q" className="break">{l.query}</code> : undefined],
              [t('failure'), l.code ? <code key="f">{l.code}{l.param ? ' ' + l.param : ''}</code> : undefined],
              [t('keys.hint'), l.key ? <ID key="k" value={l.key} link={false} /> : undefined],
              [t('audit.person'), l.person ?? undefined],
              [t('audit.address'), l.address],
              [t('logs.agent'), l.user_agent],
              [t('logs.idempotency'), l.idempotency_key ? <code key="i">{l.idempotency_key}</code> : undefined],
              [t('logs.replayed'), l.replayed ? t('yes') : undefined],
            ]}
          />
        </Card>
      }
    >
      <Card title={t('copy_curl')}>
        <Code text={asCurl(l.method, l.path, query, l.request ?? undefined)} label={t('request')} />
      </Card>
      {l.request !== undefined && l.request !== null && (
        <Card title={t('request')}>
          <p className="muted small">{t('logs.redacted')}</p>
          <JSONView value={l.request} />
        </Card>
      )}
      {l.response !== undefined && l.response !== null && (
        <Card title={t('logs.response')}>
          <JSONView value={l.response} />
        </Card>
      )}
    </Detail>
  )
}
