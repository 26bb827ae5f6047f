import type { Schema } from '../api/client.ts'
import type { Movement } from '../actions.tsx'
import type { KindName } from '../asks.ts'
import { useRead } from '../data.ts'
import { label, t } from '../i18n/index.ts'
import { Card, Code, Failure, Loading, Time } from '../ui/parts.tsx'

type Attempt = Schema<'RailAttempt'>

/** What a rail did and said in a few words; an attempt's act and result as the API writes them. */
export const asked = (act: string, result: string) => t('timeline.asked', { act: label('act', act), result: label('result', result.replaceAll(' ', '_')) })

/** What went over the wire to the rail and came back, with what identifies somebody masked. */
export function Attempts({ kind, m }: { kind: KindName; m: Movement }) {
  const q = useRead(`/v1/${kind}/{id}/attempts` as '/v1/payouts/{id}/attempts', [m.id], undefined, { keep: true })
  const list = (q.data?.data ?? []) as Attempt[]
  return (
    <Card title={t('attempts')} about={t('attempts.about')}>
      {q.error ? (
        <Failure error={q.error} retry={() => void q.refetch()} />
      ) : !q.data ? (
        <Loading rows={2} />
      ) : list.length === 0 ? (
        <p className="muted">{t(m.rail === 'manual' ? 'attempts.manual' : 'attempts.none')}</p>
      ) : (
        <ol className="plain-list attempts">
          {list.map((a, i) => (
            <li key={i}>
              <p className="row wrap">
                <span>
                  {asked(a.act, a.result)} {a.code && <code>{a.code}</code>}
                </span>
                <span className="grow" />
                <Time at={a.at} style="stamp" />
              </p>
              {a.request && (
                <details>
                  <summary>
                    {t('request')} <code className="break">{`${a.request.method} ${a.request.path}`}</code>
                  </summary>
                  {a.request.body !== null && <Code text={text(a.request.body)} label={t('request')} />}
                </details>
              )}
              {a.response ? (
                <details>
                  <summary>
                    {t('logs.response')} <code>{a.response.status}</code>
                  </summary>
                  <Code text={text(a.response.body)} label={t('logs.response')} />
                </details>
              ) : (
                a.request && <p className="muted small">{t('attempts.unanswered')}</p>
              )}
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}

const text = (body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body, null, 2))
