import exponents from './currencies.json'
import { t } from './i18n/index.ts'
import { preferences } from './preferences.ts'

/** Minor units as the API sends them: a number, or text where a number would round. */
export type Minor = number | string

const formatters = new Map<string, unknown>()

/** A formatter by the name of what it does: making one takes longer than a hundred uses. */
function once<T>(name: string, make: () => T): T {
  let f = formatters.get(name) as T | undefined
  if (!f) formatters.set(name, (f = make()))
  return f
}

function currencyFormat(currency: string, compact: boolean): Intl.NumberFormat {
  const locale = preferences().format
  return once(`money ${locale} ${currency} ${compact}`, () => {
    try {
      const d = digits(currency)
      return new Intl.NumberFormat(locale, { style: 'currency', currency, ...(compact ? { notation: 'compact', maximumFractionDigits: 1, minimumFractionDigits: 0 } : { minimumFractionDigits: d, maximumFractionDigits: d }) })
    } catch {
      return new Intl.NumberFormat(locale, { minimumFractionDigits: 2 })
    }
  })
}

/** ISO 4217's number of decimals. Browsers follow CLDR, which leaves the cents of some currencies away; the ledger does not. */
export function digits(currency: string): number {
  return (exponents as Record<string, number>)[currency.toUpperCase()] ?? 2
}

/** Minor units as a decimal text: 1050 → "10.50". Exact at any size. */
export function decimal(amount: Minor, currency: string): string {
  const d = digits(currency)
  let s = String(amount)
  const sign = s.startsWith('-') ? '-' : ''
  if (sign) s = s.slice(1)
  if (d === 0) return sign + s
  s = s.padStart(d + 1, '0')
  return `${sign}${s.slice(0, -d)}.${s.slice(-d)}`
}

/** The same amount on the other side; exact at any size. */
export function opposite(amount: Minor): Minor {
  if (typeof amount === 'number') return 0 - amount
  return amount.startsWith('-') ? amount.slice(1) : '-' + amount
}

/** The sum of amounts of one currency, exactly, however large. */
export function sum(amounts: Iterable<Minor>): Minor {
  let total = 0n
  for (const a of amounts) total += BigInt(a)
  return String(total)
}

export function money(amount: Minor, currency: string): string {
  return currencyFormat(currency.toUpperCase(), false).format(decimal(amount, currency) as Intl.StringNumericLiteral)
}

/** The class that makes large type smaller where the text is very long. */
export function large(text: string): string {
  return text.length > 15 ? ' long' : ''
}

/** For axes and tight places: R$ 1,2 mi. */
export function moneyShort(amount: Minor, currency: string): string {
  return currencyFormat(currency.toUpperCase(), true).format(decimal(amount, currency) as Intl.StringNumericLiteral)
}

/**
 * Reads what a person typed, with either separator as the decimal one where it
 * can only be that; undefined where it cannot be an amount of the currency.
 */
export function parseAmount(text: string, currency: string): number | undefined {
  const d = digits(currency)
  let s = text.replace(/[\s  ]/g, '')
  const decimalMark = new Intl.NumberFormat(preferences().format).formatToParts(1.5).find((p) => p.type === 'decimal')?.value ?? '.'
  const groupMark = decimalMark === ',' ? '.' : ','
  if (!/^\d[\d.,]*$/.test(s)) return undefined
  const lastGroup = s.lastIndexOf(groupMark)
  if (lastGroup >= 0 && !s.includes(decimalMark) && s.indexOf(groupMark) === lastGroup && s.length - lastGroup - 1 !== 3) s = s.replace(groupMark, decimalMark)
  const parts = s.split(decimalMark)
  if (parts.length > 2) return undefined
  const whole = parts[0]!
  if (whole.includes(groupMark) && !new RegExp(`^\\d{1,3}(\\${groupMark}\\d{3})+$`).test(whole)) return undefined
  const fraction = parts[1] ?? ''
  if (!/^\d*$/.test(fraction) || fraction.length > d) return undefined
  const n = Number(whole.replaceAll(groupMark, '') + fraction.padEnd(d, '0'))
  return Number.isSafeInteger(n) && n > 0 ? n : undefined
}

/** The form in which an amount stands in a text field. */
export function amountText(amount: Minor, currency: string): string {
  return new Intl.NumberFormat(preferences().format, { minimumFractionDigits: digits(currency), useGrouping: false }).format(decimal(amount, currency) as Intl.StringNumericLiteral)
}

export function number(n: number): string {
  const locale = preferences().format
  return once(`number ${locale}`, () => new Intl.NumberFormat(locale)).format(n)
}

export function percent(ratio: number, fraction = 1): string {
  const locale = preferences().format
  return once(`percent ${locale} ${fraction}`, () => new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: fraction })).format(ratio)
}

/** Milliseconds of Unix seconds, or of a time in UTC without a zone as v1 writes it. */
export function instant(at: number | string): number {
  if (typeof at === 'number') return at * 1000
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(at) ? at : at + 'Z')
}

export type TimeStyle = 'short' | 'stamp' | 'long' | 'clock' | 'day' | 'full'

const timeStyles: Record<TimeStyle, Intl.DateTimeFormatOptions> = {
  short: { day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit' },
  stamp: { day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  long: { day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  full: { day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'shortOffset' },
  clock: { hour: '2-digit', minute: '2-digit', second: '2-digit' },
  day: { day: '2-digit', month: 'short' },
}

export function time(ms: number, style: TimeStyle = 'short'): string {
  const { format, timeZone } = preferences()
  return once(`time ${format} ${timeZone} ${style}`, () => new Intl.DateTimeFormat(format, { ...timeStyles[style], timeZone, hourCycle: format === 'en-US' ? undefined : 'h23' })).format(ms).replace(/(GMT|UTC)-/, '$1\u2212')
}

/** "3 minutes ago", in the language of the texts. */
export function ago(ms: number, now = Date.now()): string {
  const { lang } = document.documentElement
  const f = once(`ago ${lang}`, () => new Intl.RelativeTimeFormat(lang, { numeric: 'auto', style: 'short' }))
  const s = Math.round((ms - now) / 1000)
  const a = Math.abs(s)
  if (a < 60) return f.format(s, 'second')
  if (a < 3600) return f.format(Math.round(s / 60), 'minute')
  if (a < 86400) return f.format(Math.round(s / 3600), 'hour')
  return f.format(Math.round(s / 86400), 'day')
}

/** A length of time in its largest whole unit: "36 hours", "7 days". */
export function lasting(seconds: number): string {
  const { lang } = document.documentElement
  const [unit, size] = seconds < 120 ? ['second', 1] : seconds < 7200 ? ['minute', 60] : seconds < 172_800 ? ['hour', 3600] : ['day', 86_400]
  return once(`lasting ${lang} ${unit}`, () => new Intl.NumberFormat(lang, { style: 'unit', unit: unit as string, unitDisplay: 'long' })).format(Math.round(seconds / (size as number)))
}

/** Microseconds as people read them: 0.25 ms, 7.5 ms, 84 ms, 9.8 s. */
export function milliseconds(us: number | null | undefined): string {
  if (us === null || us === undefined) return '—'
  const round = (n: number) => number(n < 1 ? Math.round(n * 100) / 100 : n < 10 ? Math.round(n * 10) / 10 : Math.round(n))
  return us < 1_000_000 ? t('unit.ms', { n: round(us / 1000) }) : t('unit.s', { n: round(us / 1_000_000) })
}
