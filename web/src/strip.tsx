import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import type { Path, Schema } from './api/client.ts'
import { chosenOf, stripQuery } from './asks.ts'
import { useRead } from './data.ts'
import { number, time } from './format.ts'
import { type Key, t } from './i18n/index.ts'
import { ChartTable } from './ui/table.tsx'
import type { Search } from './url.ts'

type Bar = Schema<'HistogramBar'>

/** The filters that the strip's numbers, which come from roll-ups, do not know. */
function unheard(search: Search): string[] {
  const plain: Record<string, Key> = { reference: 'col.reference', customer: 'col.customer', charge: 'col.charge', references: 'col.reference', provider: 'filter.provider', method: 'col.method', document: 'filter.document', rail: 'col.rail', failure_code: 'col.failure' }
  const names = Object.keys(search).map((name) => plain[name] ?? (name.startsWith('amount[') ? 'col.amount' : name.startsWith('metadata[') ? 'col.metadata' : undefined))
  return [...new Set(names.filter((key) => key !== undefined))].map((key) => t(key))
}

/**
 * How many were created on each day, above their list. Dragging across it
 * chooses the days; so do the handles at its ends, with the arrow keys.
 */
export function Strip({ path, search, set }: { path: string; search: Search; set: (change: Record<string, string | undefined>) => void }) {
  const chosen = chosenOf(search)
  const bars = useRead(`${path}/histogram` as Path as '/v1/charges/histogram', [], stripQuery(search), { keep: true }).data?.data.series ?? []
  return bars.length > 1 ? <Days bars={bars} chosen={chosen} statuses={search.status?.split(',')} ignored={unheard(search)} set={set} /> : <div className="strip" />
}

function Days({ bars, chosen, statuses, ignored, set }: { bars: Bar[]; chosen: { from?: number; to?: number }; statuses?: string[]; ignored: string[]; set: (change: Record<string, string | undefined>) => void }) {
  const end = bars.length - 1
  const within = (at: number) => Math.max(0, Math.min(end, at))
  // What the filter says, until a hand or a key says otherwise.
  const first = within(chosen.from === undefined ? 0 : bars.findIndex((b) => b.to > chosen.from!) < 0 ? end : bars.findIndex((b) => b.to > chosen.from!))
  const last = within(chosen.to === undefined ? end : bars.findLastIndex((b) => b.from < chosen.to!))
  const [moving, setMoving] = useState<[number, number]>()
  const svg = useRef<SVGSVGElement>(null)
  const anchor = useRef<number>(undefined)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const [a, b] = moving ?? [first, Math.max(first, last)]
  const any = chosen.from !== undefined || chosen.to !== undefined
  const count = (x: Bar) => (statuses ? statuses.reduce((sum, s) => sum + ((x.statuses as Record<string, number>)[s] ?? 0), 0) : x.all)
  const most = Math.max(1, ...bars.map((x) => x.all))
  const sum = bars.slice(a, b + 1).reduce((n, x) => n + count(x), 0)
  const name = (x: Bar) => time(x.from * 1000, 'day')
  const choose = (i: number, j: number) => {
    setMoving(undefined)
    const all = i === 0 && j === end
    set({ range: undefined, 'created[gt]': undefined, 'created[lte]': undefined, 'created[gte]': all ? undefined : String(bars[i]!.from), 'created[lt]': all ? undefined : String(bars[j]!.to) })
  }
  const barAt = (e: PointerEvent) => {
    const box = svg.current!.getBoundingClientRect()
    return within(Math.floor(((e.clientX - box.left) / box.width) * bars.length))
  }
  const span = (at: number): [number, number] => [Math.min(anchor.current!, at), Math.max(anchor.current!, at)]
  const handle = (which: 0 | 1) => {
    const at = which ? b : a
    const move = (to: number) => {
      const next: [number, number] = which ? [a, Math.max(a, within(to))] : [Math.min(b, within(to)), b]
      setMoving(next)
      // One request for a row of key presses.
      clearTimeout(timer.current)
      timer.current = setTimeout(() => choose(...next), 400)
    }
    const by: Record<string, () => void> = {
      ArrowLeft: () => move(at - 1), ArrowDown: () => move(at - 1), ArrowRight: () => move(at + 1), ArrowUp: () => move(at + 1),
      PageDown: () => move(at - 7), PageUp: () => move(at + 7), Home: () => move(0), End: () => move(end),
    }
    return (
      <span
        className="handle"
        style={{ left: `${((at + which) / bars.length) * 100}%` }}
        role="slider"
        tabIndex={0}
        aria-label={t(which ? 'strip.to' : 'strip.from')}
        aria-valuemin={0}
        aria-valuemax={end}
        aria-valuenow={at}
        aria-valuetext={name(bars[at]!)}
        onKeyDown={(e: KeyboardEvent) => {
          const run = by[e.key]
          if (!run || e.ctrlKey || e.metaKey || e.altKey) return
          e.preventDefault()
          e.nativeEvent.stopImmediatePropagation()
          run()
        }}
      />
    )
  }
  return (
    <div className="strip" role="group" aria-label={t('strip')}>
      <div className="strip-bars">
        <svg
          ref={svg}
          viewBox={`0 0 ${bars.length} 40`}
          preserveAspectRatio="none"
          aria-hidden="true"
          onPointerDown={(e) => {
            if (e.button !== 0) return
            e.currentTarget.setPointerCapture(e.pointerId)
            anchor.current = barAt(e)
            setMoving(span(anchor.current))
          }}
          onPointerMove={(e) => anchor.current !== undefined && setMoving(span(barAt(e)))}
          onPointerUp={(e) => {
            if (anchor.current === undefined) return
            const next = span(barAt(e))
            anchor.current = undefined
            choose(...next)
          }}
          onPointerCancel={() => {
            anchor.current = undefined
            setMoving(undefined)
          }}
        >
          {bars.map((x, i) => {
            const high = (n: number) => (n ? Math.max(1.5, (n / most) * 38) : 0)
            return (
              <g key={x.from} className={i >= a && i <= b ? (any || moving ? 'in chosen' : 'in') : undefined}>
                <title>{`${name(x)}: ${number(count(x))}`}</title>
                <rect x={i} y="0" width="1" height="40" className="hit" />
                {statuses && <rect x={i + 0.1} y={40 - high(x.all)} width="0.8" height={high(x.all)} className="rest" />}
                <rect x={i + 0.1} y={40 - high(count(x))} width="0.8" height={high(count(x))} className="part" />
              </g>
            )
          })}
        </svg>
        {handle(0)}
        {handle(1)}
      </div>
      <p className="strip-foot muted small">
        <span>{name(bars[0]!)}</span>
        <span className="strip-chosen">{any || moving ? t('strip.chosen', { from: name(bars[a]!), to: name(bars[b]!), n: number(sum) }) : t('strip.hint')}
          {ignored.length > 0 && <span className="warn"> · {t('strip.ignores', { filters: ignored.join(', ') })}</span>}
        </span>
        <span>{name(bars[end]!)}</span>
      </p>
      <ChartTable shown={false} label={t('strip')} head={[t('period'), t('value')]} rows={bars.map((x) => [name(x), number(count(x))])} />
    </div>
  )
}
