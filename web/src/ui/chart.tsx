import { GridRows } from '@visx/grid'
import { Group } from '@visx/group'
import { scaleBand, scaleLinear } from '@visx/scale'
import { Bar, LinePath } from '@visx/shape'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { milliseconds, number, time } from '../format.ts'
import { t } from '../i18n/index.ts'
import { A, useGo } from '../nav.tsx'
import type { Search } from '../url.ts'
import { minuteOf } from '../zone.ts'
import { Icon } from './icon.tsx'
import { Card } from './parts.tsx'
import { ChartTable } from './table.tsx'

/** A list that shows what a part of a chart counts. */
export interface Target {
  href: string
  search: Search
}

/** A chart in a card; a switch shows its numbers as a table instead. */
export function ChartCard({ title, about, actions, children }: { title: string; about?: string; actions?: ReactNode; children: (table: boolean) => ReactNode }) {
  const [table, setTable] = useState(false)
  return (
    <Card
      title={title}
      about={about}
      actions={
        <>
          {actions}
          <span className="segments" role="group" aria-label={title}>
            {([['chart', 'bars', false], ['table', 'table', true]] as const).map(([key, icon, on]) => (
              <button key={key} type="button" aria-pressed={table === on} onClick={() => setTable(on)} aria-label={t(key)} title={t(key)}>
                <Icon name={icon} size={14} />
                <span className="word">{t(key)}</span>
              </button>
            ))}
          </span>
        </>
      }
    >
      {children(table)}
    </Card>
  )
}

/** The name of a row in a chart's table: a link, where it leads to a list and is seen. */
function rowName(name: string, to: Target | undefined, shown: boolean): ReactNode {
  return shown && to ? (
    <A href={to.href} search={to.search}>
      {name}
    </A>
  ) : (
    name
  )
}

/** The width of what a chart stands in; 0 until the page has been laid out around it, which is not hurried. */
function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const o = new ResizeObserver(() => setWidth(ref.current?.clientWidth ?? 0))
    o.observe(ref.current!)
    return () => o.disconnect()
  }, [])
  return [ref, width]
}

/** How a bar of time is called: short, under it, and whole. Of one that is shorter than a day, the minute of the day at which it begins. */
export function bucketName(b: { from: number }, interval: string): { label: string; title: string; minute?: number } {
  const ms = b.from * 1000
  return interval === 'day' ? { label: time(ms, 'day'), title: time(ms, 'day') } : { label: time(ms, 'clock').replace(/:00(?=\D|$)/, ''), title: time(ms, 'short'), minute: minuteOf(ms) }
}

/** Which names stand under a chart: at round times, as many as have room; every so many where there are no times. */
function written(named: { minute?: number }[], width: number): (i: number) => boolean {
  const room = Math.max(1, Math.floor(width / 64))
  for (const step of [1, 5, 10, 30, 60, 120, 180, 240, 360, 720, 1440]) {
    const round = named.filter((b) => b.minute !== undefined && b.minute % step === 0).length
    if (round > 0 && round <= room) return (i) => named[i]!.minute! % step === 0
  }
  const every = Math.max(1, Math.ceil(named.length / room))
  return (i) => i % every === 0
}

const margin = { top: 8, right: 8, bottom: 22 }

/** About how wide a letter of an axis is. */
const letter = 6.2

/** The room that the longest name of the left axis needs. */
function leftOf(scale: { ticks: (n: number) => number[] }, format: (v: number) => string): number {
  return Math.max(48, 18 + letter * Math.max(0, ...wholes(scale).map((v) => format(v).length)))
}

export interface Bucket {
  /** What stands under it. */
  label: string
  /** What a screen reader and the hover say. */
  title: string
  /** Where it begins in the day; see [bucketName]. */
  minute?: number
  value: number
  /** What the value is made of, as many as the chart has parts. */
  parts?: number[]
  /** The same bucket of the period before. */
  before?: number
  /** Not over yet: hatched. */
  open?: boolean
  /** The list of what it counts, or of one of its parts. */
  to?: (part?: number) => Target
}

/** What is drawn is counted in wholes: minor units, microseconds, requests. */
const wholes = (scale: { ticks: (n: number) => number[] }) => scale.ticks(4).filter(Number.isInteger)

/** What the lines of the grid stand for: what looks like the line below is not said again. */
function Left({ scale, format }: { scale: { (v: number): number; ticks: (n: number) => number[] }; format: (v: number) => string }) {
  return wholes(scale).filter((v, i, all) => i === 0 || format(v) !== format(all[i - 1]!)).map((v) => (
    <text key={v} x={-12} y={scale(v)} dy={3} textAnchor="end" className="tick">
      {format(v)}
    </text>
  ))
}

/** The line under a chart, and what stands below it. */
function Bottom({ top, width, ticks }: { top: number; width: number; ticks: { at: number; label: string }[] }) {
  return (
    <g className="axis">
      <line x2={width} y1={top} y2={top} />
      {ticks.map((tick, i) => (
        <text key={i} x={Math.min(tick.at, width + margin.right - (tick.label.length * letter) / 2)} y={top + 18} textAnchor="middle" className="tick">
          {tick.label}
        </text>
      ))}
    </g>
  )
}

/** Zero-based bars, the period before as a line, and the same numbers as a table. */
export function Bars({ buckets, parts, format, label, height = 190, table = false }: { buckets: Bucket[]; parts?: Part[]; format: (v: number) => string; label: string; height?: number; table?: boolean }) {
  const [ref, width] = useWidth()
  const go = useGo()
  const high = height - margin.top - margin.bottom
  const top = Math.max(1, ...buckets.map((b) => Math.max(b.value, b.before ?? 0)))
  const y = scaleLinear({ domain: [0, top], range: [high, 0], nice: 4 })
  const left = leftOf(y, format)
  const inner = { w: Math.max(0, width - left - margin.right), h: high }
  const x = scaleBand({ domain: buckets.map((_, i) => i), range: [0, inner.w], padding: 0.25 })
  const named = written(buckets, inner.w)
  const compare = buckets.some((b) => b.before !== undefined)
  return (
    <div ref={ref} className="chart">
      {table ? null : !width ? (
        <div style={{ height }} />
      ) : (
        <svg width={width} height={height} role="img" aria-label={label}>
          <defs>
            <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="5" height="5" className="hatch-back" />
              <line x1="0" y1="0" x2="0" y2="5" className="hatch-line" />
            </pattern>
            <pattern id="hatch-over" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <line x1="0" y1="0" x2="0" y2="5" className="hatch-over" />
            </pattern>
          </defs>
          <Group left={left} top={margin.top}>
            <GridRows scale={y} width={inner.w} tickValues={wholes(y)} className="chart-grid" />
            {buckets.map((b, i) => {
              let below = 0
              return (b.parts ?? [b.value]).map((value, n) => {
                below += value
                return (
                  <Bar
                    key={`${i} ${n}`}
                    x={x(i)}
                    y={y(below)}
                    width={x.bandwidth()}
                    height={Math.max(value > 0 ? 1 : 0, y(below - value) - y(below))}
                    className={'bar' + (b.open && !parts ? ' open' : '') + (b.to ? ' link' : '') + (parts ? ' ' + parts[n]!.className : '')}
                    onClick={() => {
                      const to = b.to?.(parts && n)
                      if (to) go(to.href, to.search)
                    }}
                  >
                    <title>{`${b.title}: ${parts ? parts[n]!.name + ' ' : ''}${format(value)}`}</title>
                  </Bar>
                )
              })
            })}
            {parts && buckets.map((b, i) => b.open && b.value > 0 && <rect key={i} x={x(i)} y={y(b.value)} width={x.bandwidth()} height={inner.h - y(b.value)} fill="url(#hatch-over)" pointerEvents="none" />)}
            {compare && <LinePath data={buckets.map((b, i) => ({ i, v: b.before ?? 0 }))} x={(d) => (x(d.i) ?? 0) + x.bandwidth() / 2} y={(d) => y(d.v)} className="line before" />}
            <Left scale={y} format={format} />
            <Bottom top={inner.h} width={inner.w} ticks={buckets.flatMap((b, i) => (named(i) ? [{ at: (x(i) ?? 0) + x.bandwidth() / 2, label: b.label }] : []))} />
          </Group>
        </svg>
      )}
      <ChartTable shown={table} label={label} head={[t('period'), ...(parts ? parts.map((p) => p.name) : [t('value')]), ...(compare ? [t('period_before')] : [])]} rows={buckets.map((b) => [rowName(b.title, b.to?.(), table), ...(b.parts ?? [b.value]).map(format), ...(compare ? [format(b.before ?? 0)] : [])])} />
    </div>
  )
}

/** One of several lines or parts of a bar: its name, and the class that colours it. */
export interface Part {
  name: string
  className: string
}

export function Legend({ parts }: { parts: Part[] }) {
  return (
    <p className="legend muted small">
      {parts.map((p) => (
        <span key={p.name} className="legend-part">
          <span className={'swatch ' + p.className} aria-hidden="true" /> {p.name}
        </span>
      ))}
    </p>
  )
}

/** Lines over time; where one has no value it has a gap. */
export function Lines({ points, parts, format, label, top, height = 150, table = false }: { points: { label: string; title: string; minute?: number; values: (number | undefined)[]; to?: Target }[]; parts: Part[]; format: (v: number) => string; label: string; top?: number; height?: number; table?: boolean }) {
  const [ref, width] = useWidth()
  const go = useGo()
  const high = height - margin.top - margin.bottom
  const y = scaleLinear({ domain: [0, top ?? Math.max(1, ...points.flatMap((p) => p.values.map((v) => v ?? 0)))], range: [high, 0], nice: top ? false : 4 })
  const left = leftOf(y, format)
  const inner = { w: Math.max(0, width - left - margin.right), h: high }
  const x = scaleLinear({ domain: [0, Math.max(1, points.length - 1)], range: [0, inner.w] })
  const named = written(points, inner.w)
  // A point of its own where no line reaches it, and where there is room for all.
  const dotted = points.length <= 60
  const alone = (i: number, n: number) => points[i - 1]?.values[n] === undefined && points[i + 1]?.values[n] === undefined
  return (
    <div ref={ref} className="chart">
      {table ? null : !width ? (
        <div style={{ height }} />
      ) : (
      <svg width={width} height={height} role="img" aria-label={label}>
        <Group left={left} top={margin.top}>
          <GridRows scale={y} width={inner.w} tickValues={wholes(y)} className="chart-grid" />
          {points.map((p, i) =>
            p.to ? (
              <rect key={i} className="hit link" x={Math.max(0, x(i - 0.5))} width={Math.min(inner.w, x(i + 0.5)) - Math.max(0, x(i - 0.5))} height={inner.h} onClick={() => go(p.to!.href, p.to!.search)}>
                <title>{`${p.title}: ${parts.map((part, n) => `${part.name} ${p.values[n] === undefined ? '—' : format(p.values[n])}`).join(', ')}`}</title>
              </rect>
            ) : null,
          )}
          {parts.map((part, n) => (
            <g key={part.name} className={part.className}>
              <LinePath data={points.map((p, i) => ({ i, v: p.values[n] }))} defined={(d) => d.v !== undefined} x={(d) => x(d.i)} y={(d) => y(d.v ?? 0)} className="line" />
              {points.map((p, i) =>
                p.values[n] === undefined || (!dotted && !alone(i, n)) ? null : (
                  <circle key={i} cx={x(i)} cy={y(p.values[n])} r={2.5} className="point">
                    <title>{`${p.title}: ${format(p.values[n])}`}</title>
                  </circle>
                ),
              )}
            </g>
          ))}
          <Left scale={y} format={format} />
          <Bottom top={inner.h} width={inner.w} ticks={points.flatMap((p, i) => (named(i) ? [{ at: x(i), label: p.label }] : []))} />
        </Group>
      </svg>
      )}
      {parts.length > 1 && !table && <Legend parts={parts} />}
      <ChartTable shown={table} label={label} head={[t('period'), ...parts.map((p) => p.name)]} rows={points.map((p) => [rowName(p.title, p.to, table), ...parts.map((_, n) => (p.values[n] === undefined ? '—' : format(p.values[n])))])} />
    </div>
  )
}

/** A balance over time: it holds until it changes. A click chooses the moment. */
export function StepLine({ points, format, axis, label, at, onPick, height = 150 }: { points: { at: number; value: number }[]; format: (v: number) => string; axis: (v: number) => string; label: string; at?: number; onPick?: (seconds: number) => void; height?: number }) {
  const [ref, width] = useWidth()
  const high = height - margin.top - margin.bottom
  const first = points[0]?.at ?? 0
  const end = Math.max(points.at(-1)?.at ?? 1, first + 1)
  const low = Math.min(0, ...points.map((p) => p.value))
  const y = scaleLinear({ domain: [low, Math.max(1, ...points.map((p) => p.value))], range: [high, 0], nice: 4 })
  const left = leftOf(y, axis)
  const inner = { w: Math.max(0, width - left - margin.right), h: high }
  const x = scaleLinear({ domain: [first, end], range: [0, inner.w] })
  const steps = points.flatMap((p, i) => (i ? [{ at: p.at, value: points[i - 1]!.value }, p] : [p]))
  return (
    <div ref={ref} className="chart">
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={label}
        className={onPick ? 'link' : undefined}
        onClick={(e) => {
          const at = e.clientX - e.currentTarget.getBoundingClientRect().left - left
          onPick?.(Math.round(x.invert(Math.max(0, Math.min(inner.w, at)))))
        }}
      >
        <Group left={left} top={margin.top}>
          <GridRows scale={y} width={inner.w} tickValues={wholes(y)} className="chart-grid" />
          <LinePath data={steps} x={(d) => x(d.at)} y={(d) => y(d.value)} className="line" />
          {at !== undefined && at >= first && at <= end && <line x1={x(at)} x2={x(at)} y1={0} y2={inner.h} className="mark" />}
          <Left scale={y} format={(v) => axis(Math.round(v))} />
          <Bottom top={inner.h} width={inner.w} ticks={x.ticks(Math.max(2, Math.floor(inner.w / 110))).map((v) => ({ at: x(v), label: time(v * 1000, end - first < 2 * 86_400 ? 'clock' : 'day') }))} />
        </Group>
      </svg>
      <ChartTable shown={false} label={label} head={[t('col.created'), t('col.balance')]} rows={points.slice(-30).map((p) => [time(p.at * 1000, 'long'), format(p.value)])} />
    </div>
  )
}

/** A small line without axes; the number beside it says what it means. Drawn by hand: it stands in the first sight of a page, which need not wait for scales. */
export function Spark({ values, width = 72, height = 22 }: { values: (number | null)[]; width?: number; height?: number }) {
  const known = values.filter((v) => v !== null)
  if (known.length < 2) return null
  const low = Math.min(0, ...known)
  const high = Math.max(1, ...known)
  const x = (i: number) => 1 + (i / (values.length - 1)) * (width - 2)
  const y = (v: number) => height - 2 - ((v - low) / (high - low)) * (height - 4)
  // Where there is no value the line has a gap.
  const line = values.map((v, i) => (v === null ? '' : `${i > 0 && values[i - 1] !== null ? 'L' : 'M'}${x(i).toFixed(1)},${y(v).toFixed(1)}`)).join('')
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true" className="spark">
      <path d={line} className="line" />
    </svg>
  )
}

/** A row of small bars without axes: what went well, and what did not on top of it. */
export function SparkBars({ bars, label, width = 120, height = 22 }: { bars: { title: string; good: number; bad: number }[]; label: string; width?: number; height?: number }) {
  const top = Math.max(1, ...bars.map((b) => b.good + b.bad))
  const step = width / Math.max(1, bars.length)
  const high = (n: number) => (n ? Math.max(2, (n / top) * (height - 2)) : 0)
  return (
    <svg width={width} height={height} role="img" aria-label={label} className="spark">
      <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} className="floor" />
      {bars.map((b, i) => (
        <g key={i}>
          <title>{b.title}</title>
          <rect x={i * step} y="0" width={step} height={height} className="hit" />
          <rect x={i * step + 0.5} width={Math.max(1, step - 1)} y={height - high(b.good)} height={high(b.good)} className="bar" />
          <rect x={i * step + 0.5} width={Math.max(1, step - 1)} y={height - high(b.good) - high(b.bad)} height={high(b.bad)} className="bar c-bad" />
        </g>
      ))}
    </svg>
  )
}

/** How many took how long: one bar for each part of time between the first and the last that has any. */
export function Took({ parts, label, to }: { parts: { up_to_us: number | null; count: number }[]; label: string; to?: (low: number, high: number | null) => Target }) {
  const used = parts.map((p, i) => ({ ...p, low: parts[i - 1]?.up_to_us ?? 0 }))
  const first = used.findIndex((p) => p.count > 0)
  const rows = first < 0 ? [] : used.slice(first, used.findLastIndex((p) => p.count > 0) + 1)
  return (
    <Ranking
      label={label}
      rows={rows.map((p) => {
        const name = p.up_to_us === null ? `> ${milliseconds(p.low)}` : `≤ ${milliseconds(p.up_to_us)}`
        return { key: name, name: to && p.count ? <A {...to(p.low, p.up_to_us)}>{name}</A> : name, value: p.count, text: number(p.count) }
      })}
    />
  )
}

/** Names with a bar each; the numbers stand beside them. */
export function Ranking({ rows, label }: { rows: { name: ReactNode; key: string; value: number; text: string; className?: string }[]; label: string }) {
  const top = Math.max(1, ...rows.map((r) => r.value))
  return (
    <ul className="ranking" aria-label={label}>
      {rows.map((r) => (
        <li key={r.key}>
          <span className="break">{r.name}</span>
          <span className="track">
            <svg width="100%" height="8" aria-hidden="true">
              <rect width={(r.value / top) * 100 + '%'} height="8" rx="2" className={'bar ' + (r.className ?? '')} />
            </svg>
          </span>
          <b>{r.text}</b>
        </li>
      ))}
    </ul>
  )
}
