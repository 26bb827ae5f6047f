import type { Schema } from '../api/client.ts'
import { useRead } from '../data.ts'
import { label, t } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { useMay } from '../session.ts'
import { Card, Code, Facts, ID, Time } from '../ui/parts.tsx'

type Act = Schema<'Act'>

/** What people did: written with the act itself, changed by nothing. */
export function AuditPage() {
  const may = useMay()
  const people = useRead('/v1/people', [], undefined, { enabled: may('team.read') })
  const names = Object.fromEntries(((people.data?.data ?? []) as Schema<'Person'>[]).map((p) => [p.id, p.name]))
  return (
    <ListView<Act>
      name="audit"
      title="nav.audit"
      path="/v1/audit"
      id={(a) => a.id}
      command="giro audit list"
      peek={(a) => <ActView act={a} />}
      open={t('changes')}
      columns={[
        { id: 'person', header: 'audit.person', cell: (a) => <span className="clip">{a.person.name}</span> },
        { id: 'action', header: 'audit.action', cell: (a) => <code>{a.action}</code> },
        { id: 'target', header: 'audit.target', cell: (a) => (a.target ? <ID value={a.target} /> : undefined) },
        { id: 'mode', header: 'mode', cell: (a) => t(a.livemode ? 'live' : 'test') },
        { id: 'address', header: 'audit.address', cell: (a) => a.address },
        { id: 'created', header: 'col.created', cell: (a) => <Time at={a.created} style="long" /> },
        { id: 'request', header: 'request', off: true, cell: (a) => a.request_id && <code>{a.request_id}</code> },
      ]}
      filters={[
        { id: 'person', kind: 'choice', label: 'audit.person', param: 'person', options: Object.keys(names), names, single: true },
        { id: 'action', kind: 'text', label: 'audit.action', param: 'action' },
        { id: 'target', kind: 'text', label: 'audit.target', param: 'target' },
      ]}
    />
  )
}

function ActView({ act: a }: { act: Act }) {
  return (
    <div className="stack">
      <Facts
        items={[
          [t('audit.person'), `${a.person.name} · ${a.person.email}`],
          [t('audit.action'), <code key="a">{a.action}</code>],
          [t('audit.target'), a.target ? <ID key="t" value={a.target} /> : null],
          [t('audit.address'), a.address],
          [t('request'), a.request_id ? <code key="r">{a.request_id}</code> : null],
          [t('col.created'), <Time key="c" at={a.created} style="full" />],
        ]}
      />
      {a.changes.map((c, i) => (
        <Card key={i} title={label('noun', c.kind)}>
          {c.before !== null && c.before !== undefined && <Code text={JSON.stringify(c.before, null, 2)} label={t('before')} />}
          {c.after !== null && c.after !== undefined && <Code text={JSON.stringify(c.after, null, 2)} label={t('after')} />}
        </Card>
      ))}
      {a.changes.length === 0 && <p className="muted">{t('none')}</p>}
    </div>
  )
}
