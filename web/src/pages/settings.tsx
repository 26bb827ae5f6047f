import { useEffect, useState } from 'react'
import { Confirm } from '../actions.tsx'
import { post, Problem, put, remove, type Schema, send } from '../api/client.ts'
import { changed, usePageRequest, useRead } from '../data.ts'
import { label, t } from '../i18n/index.ts'
import { type Language, languages } from '../i18n/language.ts'
import { formatLocales, preferences, setPreferences, type Theme } from '../preferences.ts'
import { useMay, usePlace, usePreferences } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Card, Failure, Field, Loading, Table, Time, toast, toastFailure } from '../ui/parts.tsx'
import { money, time } from '../format.ts'
import { Secret } from './keys.tsx'

type Person = Schema<'Person'>
type Invitation = Schema<'Invitation'>
const roles = ['owner', 'admin', 'developer', 'maker', 'approver', 'support', 'viewer'] as const

export function TeamPage() {
  const may = useMay()
  const place = usePlace()
  const people = useRead('/v1/people')
  const invitations = useRead('/v1/invitations', [], undefined, { enabled: may('team.write') })
  const table = useRead('/v1/roles')
  usePageRequest({ method: 'GET', path: '/v1/people', data: people.data?.data, command: 'giro users list' })
  const [inviting, setInviting] = useState(false)
  const [link, setLink] = useState('')
  const [changing, setChanging] = useState<Person>()
  const [removing, setRemoving] = useState<Person>()
  const [resetting, setResetting] = useState<Person>()
  const write = may('team.write')
  const path = (i: Invitation) => i.path && setLink(location.origin + i.path)
  const open = (invitations.data?.data as Invitation[] | undefined) ?? []
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.team')}</h1>
        {write && (
          <button type="button" className="primary" onClick={() => setInviting(true)}>
            <Icon name="plus" /> {t('team.invite')}
          </button>
        )}
      </div>
      <div className="stack">
      <Card title={t('team.people')}>
        {people.error ? (
          <Failure error={people.error} retry={() => void people.refetch()} />
        ) : !people.data ? (
          <Loading />
        ) : (
          <Table cards label={t('team.people')} head={[t('field.name'), t('field.email'), t('team.role'), t('team.signed_in'), ...(write ? [t('actions')] : [])]}>
            {(people.data.data as Person[]).map((p) => (
              <tr key={p.id}>
                <th scope="row" data-label={t('field.name')}>
                  <span>
                    {p.name} {p.id === place.session.person.id && <span className="muted small">({t('team.you')})</span>}
                  </span>
                </th>
                <td data-label={t('field.email')}>{p.email}</td>
                <td data-label={t('team.role')}>{label('role_name', p.role)}</td>
                <td data-label={t('team.signed_in')}>
                  <Time at={p.signed_in_at} />
                </td>
                {write && (
                  <td>
                    <span className="row wrap">
                      <button type="button" className="small" onClick={() => setChanging(p)}>
                        {t('team.change_role')}
                      </button>
                      <button type="button" className="small" onClick={() => setResetting(p)}>
                        {t('team.reset')}
                      </button>
                      <button type="button" className="small danger-text" onClick={() => setRemoving(p)}>
                        {t('remove')}
                      </button>
                    </span>
                  </td>
                )}
              </tr>
            ))}
          </Table>
        )}
      </Card>
      {open.length > 0 && (
        <Card title={t('team.invitations')}>
          <ul className="plain-list">
            {open.map((i) => (
              <li key={i.id} className="row">
                <span className="grow clip">{i.email ?? '—'}</span>
                <span>{i.role && label('role_name', i.role)}</span>
                <Time at={i.expires_at} />
                <button
                  type="button"
                  className="small"
                  onClick={() =>
                    void remove('/v1/invitations/{id}', [i.id]).then(
                      () => changed('/v1/invitations'),
                      toastFailure,
                    )
                  }
                >
                  {t('team.withdraw')}
                </button>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card title={t('team.roles')}>
        {table.error ? <Failure error={table.error} /> : !table.data ? <Loading /> : <RoleTable roles={table.data.data as Schema<'Role'>[]} live={place.live} />}
      </Card>
      </div>
      {inviting && <Invite onClose={() => setInviting(false)} onMade={path} />}
      {changing && <ChangeRole person={changing} onClose={() => setChanging(undefined)} />}
      {removing && (
        <Confirm
          title={t('remove')}
          label={t('remove')}
          danger
          onClose={() => setRemoving(undefined)}
          run={async () => {
            await remove('/v1/people/{id}', [removing.id])
            changed('/v1/people')
          }}
        >
          <p>{t('team.remove_note', { name: removing.name })}</p>
        </Confirm>
      )}
      {resetting && (
        <Confirm
          title={t('team.reset')}
          label={t('team.reset')}
          onClose={() => setResetting(undefined)}
          run={async () => {
            const made = await post('/v1/people/{id}/reset', [resetting.id], {})
            path(made.data as Invitation)
          }}
        >
          <p>{t('team.reset_note', { name: resetting.name })}</p>
        </Confirm>
      )}
      {link && <Secret value={link} title={t('team.link')} note={t('team.link_note')} onClose={() => setLink('')} />}
    </>
  )
}

function RoleTable({ roles: list, live }: { roles: Schema<'Role'>[]; live: boolean }) {
  const all = [...new Set(list.flatMap((r) => [...r.test, ...r.live]))].filter((p) => p !== 'self')
  return (
    <Table label={t('team.roles')} className="matrix" head={[t('team.permission'), ...list.map((r) => label('role_name', r.name))]}>
      {all.map((p) => (
        <tr key={p}>
          <th scope="row">
            <code>{p}</code>
          </th>
          {list.map((r) => {
            const yes = (live ? r.live : r.test).includes(p)
            return (
              <td key={r.name}>
                {yes ? (
                  <>
                    <Icon name="check" size={14} />
                    <span className="visually-hidden">{t('yes')}</span>
                  </>
                ) : (
                  <span className="visually-hidden">{t('no')}</span>
                )}
              </td>
            )
          })}
        </tr>
      ))}
    </Table>
  )
}

function RoleChoice({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  return (
    <Field label={t('team.role')} hint={label('role_note', value)}>
      {(id, d) => (
        <select id={id} aria-describedby={d} value={value} onChange={(e) => onChange(e.target.value)}>
          {roles.map((r) => (
            <option key={r} value={r}>
              {label('role_name', r)}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

function Invite({ onClose, onMade }: { onClose: () => void; onMade: (i: Invitation) => void }) {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState('viewer')
  return (
    <Confirm
      title={t('team.invite')}
      label={t('team.invite')}
      onClose={onClose}
      run={async () => {
        const made = await post('/v1/invitations', [], { email, role })
        changed('/v1/invitations')
        onMade(made.data as Invitation)
      }}
    >
      <Field label={t('field.email')}>{(id) => <input id={id} type="email" required value={email} autoComplete="off" onChange={(e) => setEmail(e.target.value)} />}</Field>
      <RoleChoice value={role} onChange={setRole} />
    </Confirm>
  )
}

function ChangeRole({ person, onClose }: { person: Person; onClose: () => void }) {
  const [role, setRole] = useState<string>(person.role)
  return (
    <Confirm
      title={t('team.change_role')}
      label={t('team.change_role')}
      onClose={onClose}
      run={async () => {
        await put('/v1/people/{id}', [person.id], { role })
        changed('/v1/people')
      }}
    >
      <p>{t('team.change_note', { name: person.name, role: label('role_name', person.role) })}</p>
      <RoleChoice value={role} onChange={setRole} />
    </Confirm>
  )
}

export function PreferencesPage() {
  const p = usePreferences()
  const place = usePlace()
  usePageRequest({ method: 'GET', path: '/v1/session', data: place.session, command: 'giro whoami' })
  const zones = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [p.timeZone]
  const all = [...new Set(['UTC', p.timeZone, ...zones])]
  const change = (c: Partial<typeof p>) => {
    setPreferences(c)
    // Kept with the person too, so that another browser begins the same way.
    const now = preferences()
    void send('PUT', '/v1/session/preferences', { body: { preferences: { language: now.language, format: now.format, time_zone: now.timeZone, theme: now.theme, density: now.density, shortcuts: String(now.shortcuts) } } }).catch(() => undefined)
  }
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.preferences')}</h1>
      </div>
      <div className="grid halves">
        <Card title={t('preferences.look')}>
          <Field label={t('preferences.language')}>
            {(id) => (
              <select id={id} value={p.language} onChange={(e) => change({ language: e.target.value as Language })}>
                {Object.entries(languages).map(([code, name]) => (
                  <option key={code} value={code} lang={code}>
                    {name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('preferences.format')} hint={`${money(123456, 'brl')} · ${money(9800000, 'cop')} · ${time(Date.UTC(2026, 10, 20, 14, 1), 'long')}`}>
            {(id, d) => (
              <select id={id} aria-describedby={d} value={p.format} onChange={(e) => change({ format: e.target.value })}>
                {formatLocales.map((l) => (
                  <option key={l} value={l}>
                    {l} · {new Intl.NumberFormat(l, { minimumFractionDigits: 2 }).format(1234.5)}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('preferences.zone')}>
            {(id) => (
              <select id={id} value={p.timeZone} onChange={(e) => change({ timeZone: e.target.value })}>
                {all.map((z) => (
                  <option key={z}>{z}</option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('theme')}>
            {(id) => (
              <select id={id} value={p.theme} onChange={(e) => change({ theme: e.target.value as Theme })}>
                {(['auto', 'light', 'dark'] as const).map((x) => (
                  <option key={x} value={x}>
                    {t(`theme.${x}`)}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <label className="check">
            <input type="checkbox" checked={p.density === 'comfy'} onChange={(e) => change({ density: e.target.checked ? 'comfy' : 'dense' })} /> {t('list.comfy')}
          </label>
          <label className="check">
            <input type="checkbox" checked={p.shortcuts} onChange={(e) => change({ shortcuts: e.target.checked })} /> {t('preferences.shortcuts')}
          </label>
        </Card>
        <Password />
        <Sessions />
      </div>
    </>
  )
}

function Password() {
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState('')
  const [error, setError] = useState<unknown>()
  const wrong = error instanceof Problem && error.param === '/old_password'
  return (
    <Card title={t('preferences.password')}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          setError(undefined)
          post('/v1/session/password', [], { old_password: old, password: fresh }).then(() => {
            setOld('')
            setFresh('')
            toast(t('preferences.password_changed'))
          }, setError)
        }}
      >
        <Field label={t('preferences.old_password')} error={wrong ? t('preferences.password_wrong') : undefined}>{(id, d) => <input id={id} aria-describedby={d} aria-invalid={wrong} type="password" autoComplete="current-password" required value={old} onChange={(e) => setOld(e.target.value)} />}</Field>
        <Field label={t('preferences.new_password')} hint={t('preferences.password_note')}>
          {(id, d) => <input id={id} aria-describedby={d} type="password" autoComplete="new-password" required minLength={8} value={fresh} onChange={(e) => setFresh(e.target.value)} />}
        </Field>
        {error !== undefined && !wrong && <Failure error={error} />}
        <button type="submit">{t('preferences.change_password')}</button>
      </form>
    </Card>
  )
}

/** What people call a browser and its system; a program says its own name. */
function browserName(agent: string): string {
  const find = (names: [RegExp, string][]) => names.find(([mark]) => mark.test(agent))?.[1]
  const browser = find([[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/SamsungBrowser\//, 'Samsung Internet'], [/Firefox\/|FxiOS\//, 'Firefox'], [/Chrome\/|CriOS\//, 'Chrome'], [/Version\/.*Safari\//, 'Safari']])
  const system = find([[/Windows/, 'Windows'], [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Mac OS X/, 'macOS'], [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux']])
  return [browser ?? (agent.split(/[\s/]/)[0] || '—'), system].filter(Boolean).join(' · ')
}

function Sessions() {
  const q = useRead('/v1/sessions')
  return (
    <Card title={t('preferences.sessions')}>
      {q.error ? <Failure error={q.error} /> : !q.data ? <Loading /> : null}
      <ul className="plain-list">
        {((q.data?.data as Schema<'SessionLine'>[] | undefined) ?? []).map((s) => (
          <li key={s.id} className="row">
            <span className="grow break" title={s.user_agent ?? ''}>
              {browserName(s.user_agent ?? '')}{s.address && <span className="muted"> · {s.address}</span>}
            </span>
            <Time at={s.seen_at} />
            {s.current ? (
              <span className="muted small">{t('preferences.this_one')}</span>
            ) : (
              <button
                type="button"
                className="small"
                onClick={() =>
                  void remove('/v1/sessions/{id}', [s.id]).then(
                    () => changed('/v1/sessions'),
                    toastFailure,
                  )
                }
              >
                {t('preferences.end')}
              </button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** Which rail carries what in live mode, and the merchant's own rules. */
export function ProvidersPage() {
  const place = usePlace()
  const q = useRead('/v1/merchants/{id}', [place.merchant.id])
  const m = q.data?.data
  usePageRequest({ method: 'GET', path: '/v1/merchants/' + place.merchant.id, data: m, command: `giro merchants get ${place.merchant.id}` })
  // On a phone the rules stand below the rails, and do not move either.
  const rails = useRead('/v1/providers')
  if (q.error) return <Failure error={q.error} retry={() => void q.refetch()} />
  if (!m || rails.isPending) return <Loading />
  return (
    <>
      <div className="page-head">
        <h1>{t('nav.providers')}</h1>
      </div>
      <div className="grid halves">
        <Rails />
        <MerchantRules merchant={m} />
      </div>
    </>
  )
}

/** Which rail carries what in live mode. Test mode always uses the sandbox. */
function Rails() {
  const q = useRead('/v1/providers')
  const [wanted, setWanted] = useState<Record<string, string>>({})
  const [asking, setAsking] = useState(false)
  const p = q.data?.data
  return (
    <Card title={t('rails')}>
      <p className="muted small">{t('rails.note')}</p>
      {q.error ? (
        <Failure error={q.error} />
      ) : !p ? null : (
        <>
          <Table label={t('rails')} className="choices-table" head={[t('rails.provider'), t('col.rail')]}>
            {p.providers.map((one) => {
              const [provider = '', way] = one.name.split('/')
              const text = way ? `${label('provider', provider)} · ${label('method', way)}` : label('provider', provider)
              return (
                <tr key={one.name}>
                  <th scope="row">{text}</th>
                  <td>
                    <select aria-label={text} value={wanted[one.name] ?? (one.set ? (one.rail ?? '') : '')} onChange={(e) => setWanted((w) => ({ ...w, [one.name]: e.target.value }))}>
                      <option value="">{one.set || !one.rail ? t('rails.usual') : t('rails.usual_is', { rail: one.rail })}</option>
                      {p.rails.map((r) => (
                        <option key={r}>{r}</option>
                      ))}
                    </select>
                  </td>
                </tr>
              )
            })}
          </Table>
          <p className="row end">
            <button type="button" className="primary" disabled={Object.keys(wanted).length === 0} onClick={() => setAsking(true)}>
              {t('save')}…
            </button>
          </p>
        </>
      )}
      {asking && (
        <Confirm
          title={t('rails')}
          label={t('save')}
          onClose={() => setAsking(false)}
          run={async () => {
            await put('/v1/providers', [], { rails: wanted })
            setWanted({})
            changed('/v1/providers', '/v1/merchants')
            toast(t('done.saved'))
          }}
        >
          <p>{t('rails.effect')}</p>
          <ul className="effects">
            {Object.entries(wanted).map(([k, v]) => (
              <li key={k}>
                {k} → {v || t('rails.usual')}
              </li>
            ))}
          </ul>
        </Confirm>
      )}
    </Card>
  )
}

function MerchantRules({ merchant: m }: { merchant: Schema<'Merchant'> }) {
  const [v, setV] = useState(m)
  const [error, setError] = useState<unknown>()
  useEffect(() => setV(m), [m])
  const flag = (name: 'negative_balance_allowed' | 'hold_on_missing_funds' | 'require_idempotency_key') => (
    <label className="check" key={name}>
      <input type="checkbox" checked={v[name]} onChange={(e) => setV((x) => ({ ...x, [name]: e.target.checked }))} /> {t(`merchant.${name}`)}
    </label>
  )
  return (
    <Card title={t('merchant.rules')}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          setError(undefined)
          put('/v1/merchants/{id}', [m.id], { name: v.name, settlement_delay: v.settlement_delay, negative_balance_allowed: v.negative_balance_allowed, hold_on_missing_funds: v.hold_on_missing_funds, require_idempotency_key: v.require_idempotency_key }, undefined, `"${m.version}"`).then(() => {
            changed('/v1/merchants')
            toast(t('done.saved'))
          }, setError)
        }}
      >
        <Field label={t('field.name')}>{(id) => <input id={id} value={v.name} required onChange={(e) => setV((x) => ({ ...x, name: e.target.value }))} />}</Field>
        <Field label={t('merchant.settlement_delay')} hint={t('merchant.settlement_note')}>
          {(id, d) => <input id={id} aria-describedby={d} inputMode="numeric" value={String(v.settlement_delay)} onChange={(e) => setV((x) => ({ ...x, settlement_delay: Number(e.target.value.replace(/\D/g, '')) }))} />}
        </Field>
        {flag('negative_balance_allowed')}
        {flag('hold_on_missing_funds')}
        {flag('require_idempotency_key')}
        {error !== undefined && <Failure error={error} />}
        <button type="submit" className="primary">
          {t('save')}
        </button>
      </form>
    </Card>
  )
}
