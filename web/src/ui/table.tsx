import { type ReactNode, useEffect, useState } from 'react'

/** Reports whether the page has been seen: what nobody sees can wait until then. */
export function useSeen(): boolean {
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setSeen(true), 100)
    return () => clearTimeout(timer)
  }, [])
  return seen
}

/** For eyes where it is asked for; always there for screen readers. */
export function ChartTable({ shown, label, head, rows }: { shown: boolean; label: string; head: string[]; rows: ReactNode[][] }) {
  const seen = useSeen()
  if (!shown && !seen) return null
  return (
    <div className={shown ? 'chart-table' : 'visually-hidden'} tabIndex={shown ? 0 : undefined} role={shown ? 'group' : undefined} aria-label={shown ? label : undefined}>
      <table>
        <caption className="visually-hidden">{label}</caption>
        <thead>
          <tr>
            {head.map((h, i) => (
              <th key={h} scope="col" className={i ? 'end' : undefined}>
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r, i) => (
            <tr key={i}>
              <th scope="row">{r[0]}</th>
              {r.slice(1).map((c, n) => (
                <td key={n} className="end">
                  {c}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
