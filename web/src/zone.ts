import { preferences } from './preferences.ts'

// What people type and see is by the clock of their own zone; what is sent and
// what stands in a URL is an instant.

/** Unix milliseconds as the reader's clock shows them, in the form of a datetime-local field. */
export function clockOf(ms: number): string {
  return new Date(ms + offset(ms)).toISOString().slice(0, 19)
}

/** The instant, in Unix milliseconds, at which the reader's clock shows a day or a day and a time; NaN where it is none. */
export function instantOf(clock: string): number {
  const there = Date.parse(clock.includes('T') ? clock + 'Z' : clock + 'T00:00:00Z')
  if (Number.isNaN(there)) return there
  // The offset of the zone is that of the instant, which is only known with it.
  return there - offset(there - offset(there))
}

/** How far the reader's clock is ahead of UTC at an instant, in milliseconds. */
function offset(ms: number): number {
  const at = Math.max(0, Math.floor(ms / 1000) * 1000)
  const { timeZone } = preferences()
  let clock = clocks.get(timeZone)
  if (!clock) clocks.set(timeZone, (clock = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })))
  return Date.parse(clock.format(at) + ' UTC') - at
}

/** By zone: making one takes longer than a hundred uses. */
const clocks = new Map<string, Intl.DateTimeFormat>()

/** How many minutes after the reader's midnight an instant is; a fraction where it is on no minute. */
export function minuteOf(ms: number): number {
  return (((ms + offset(ms)) / 60_000) % 1440 + 1440) % 1440
}

/** The offset of the reader's zone in short: GMT−3. */
export function zoneName(ms = Date.now()): string {
  const { format, timeZone } = preferences()
  const part = new Intl.DateTimeFormat(format, { timeZone, timeZoneName: 'shortOffset' }).formatToParts(ms).find((p) => p.type === 'timeZoneName')
  return (part?.value ?? timeZone).replace('-', '\u2212')
}
