import { useState } from 'react'
import { Confirm } from '../actions.tsx'
import { post, remove, type Schema } from '../api/client.ts'
import { changed } from '../data.ts'
import { instant } from '../format.ts'
import { t } from '../i18n/index.ts'
import { ListView } from '../list.tsx'
import { useMay, usePlace } from '../session.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Icon } from '../ui/icon.tsx'
import { Ago, Code, Field, Status, Time, toast } from '../ui/parts.tsx'

type APIKey = Schema<'APIKey'>

function keyState(k: APIKey): string {
  if (k.revoked_at && instant(k.revoked_at) <= Date.now()) return 'revoked'
  if (k.expires_at && instant(k.expires_at) <= Date.now()) return 'expired'
  return 'active'
}

export function KeysPage() {
  const may = useMay()
  const { live } = usePlace()
  const [making, setMaking] = useState(false)
  const [secret, setSecret] = useState<string>()
  const [rolling, setRolling] = useState<APIKey>()
  const [revoking, setRevoking] = useState<APIKey>()
  return (
    <>
      <ListView<APIKey>
        name="keys"
        title="nav.keys"
        path="/v1/api_keys"
        id={(k) => k.id}
        command="giro keys list"
        actions={
          may('developers.write') && (
            <button type="button" className="primary" onClick={() => setMaking(true)}>
              <Icon name="plus" /> {t('keys.create')}
            </button>
          )
        }
        columns={[
          { id: 'name', header: 'field.name', cell: (k) => k.name },
          { id: 'hint', header: 'keys.hint', cell: (k) => <code className="nowrap">{k.hint}</code> },
          { id: 'kind', header: 'kind', cell: (k) => t(k.publishable ? 'keys.publishable' : 'keys.secret') },
          { id: 'scopes', header: 'keys.scopes', cell: (k) => <span className="clip">{k.scopes.length ? k.scopes.join(', ') : t('keys.everything')}</span> },
          { id: 'state', header: 'col.status', cell: (k) => <Status value={keyState(k)} /> },
          { id: 'used', header: 'keys.used', cell: (k) => (k.last_used_at ? <><Ago at={k.last_used_at} /> <span className="muted small">{k.last_used_address}</span></> : t('keys.never')) },
          { id: 'created', header: 'col.created', cell: (k) => <Time at={k.created} /> },
          { id: 'expires', header: 'expires', off: true, cell: (k) => <Time at={k.expires_at} /> },
          ...(may('developers.write')
            ? [
                {
                  id: 'act',
                  header: 'actions' as const,
                  cell: (k: APIKey) =>
                    keyState(k) === 'active' ? (
                      <span className="row">
                        <button type="button" className="small" onClick={() => setRolling(k)}>
                          {t('keys.roll')}
                        </button>
                        <button type="button" className="small danger-text" onClick={() => setRevoking(k)}>
                          {t('keys.revoke')}
                        </button>
                      </span>
                    ) : null,
                },
              ]
            : []),
        ]}
      />
      {making && <MakeKey live={live} onClose={() => setMaking(false)} onMade={setSecret} />}
      {rolling && <RollKey k={rolling} onClose={() => setRolling(undefined)} onMade={setSecret} />}
      {revoking && (
        <Confirm
          title={t('keys.revoke')}
          label={t('keys.revoke')}
          danger
          onClose={() => setRevoking(undefined)}
          run={async () => {
            await remove('/v1/api_keys/{id}', [revoking.id])
            changed('/v1/api_keys')
            toast(t('keys.revoked'))
          }}
        >
          <p>{t('keys.revoke_note', { hint: revoking.hint })}</p>
        </Confirm>
      )}
      {secret && <Secret value={secret} onClose={() => setSecret(undefined)} />}
    </>
  )
}

/** Shown this once: giro keeps a hash. */
export function Secret({ value, onClose, title, note }: { value: string; onClose: () => void; title?: string; note?: string }) {
  return (
    <Dialog title={title ?? t('keys.made')} onClose={onClose}>
      <p>{note ?? t('keys.once')}</p>
      <Code text={value} label={title ?? t('keys.secret')} />
      <footer className="dialog-foot">
        <span className="grow" />
        <button type="button" className="primary" onClick={onClose}>
          {t('keys.kept')}
        </button>
      </footer>
    </Dialog>
  )
}

function MakeKey({ live, onClose, onMade }: { live: boolean; onClose: () => void; onMade: (secret: string) => void }) {
  const [name, setName] = useState('')
  const [publishable, setPublishable] = useState(false)
  const [scopes, setScopes] = useState('')
  return (
    <Confirm
      title={t('keys.create')}
      label={t('keys.create')}
      onClose={onClose}
      run={async () => {
        const list = scopes.split(/[\s,]+/).filter(Boolean)
        const made = await post('/v1/api_keys', [], { ...(name ? { name } : {}), ...(publishable ? { publishable: true } : {}), ...(list.length ? { scopes: list } : {}) })
        changed('/v1/api_keys')
        if (made.data.secret) onMade(made.data.secret)
      }}
    >
      <Field label={t('field.name')}>{(id) => <input id={id} value={name} autoComplete="off" onChange={(e) => setName(e.target.value)} />}</Field>
      <label className="check">
        <input type="checkbox" checked={publishable} onChange={(e) => setPublishable(e.target.checked)} /> {t('keys.publishable_note')}
      </label>
      <Field label={t('keys.scopes')} hint={t('keys.scopes_note')}>
        {(id, d) => <input id={id} aria-describedby={d} value={scopes} autoComplete="off" onChange={(e) => setScopes(e.target.value)} />}
      </Field>
      <p className="muted small">{t(live ? 'keys.live_note' : 'keys.test_note')}</p>
    </Confirm>
  )
}

function RollKey({ k, onClose, onMade }: { k: APIKey; onClose: () => void; onMade: (secret: string) => void }) {
  const [grace, setGrace] = useState('86400')
  return (
    <Confirm
      title={t('keys.roll')}
      label={t('keys.roll')}
      onClose={onClose}
      run={async () => {
        const made = await post('/v1/api_keys/{id}/roll', [k.id], { grace_seconds: Number(grace) })
        changed('/v1/api_keys')
        if (made.data.secret) onMade(made.data.secret)
      }}
    >
      <p>{t('keys.roll_note', { hint: k.hint })}</p>
      <Field label={t('keys.grace')}>
        {(id) => (
          <select id={id} value={grace} onChange={(e) => setGrace(e.target.value)}>
            <option value="0">{t('keys.grace_none')}</option>
            <option value="3600">{t('duration.1h')}</option>
            <option value="86400">{t('duration.24h')}</option>
            <option value="604800">{t('duration.168h')}</option>
          </select>
        )}
      </Field>
    </Confirm>
  )
}
