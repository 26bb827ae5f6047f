import { isLanguage, type Language, preferredLanguage } from './i18n/language.ts'

export const formatLocales = ['en-US', 'en-GB', 'pt-BR', 'es-CO', 'es-MX', 'es-AR', 'es-CL'] as const
export type Theme = 'auto' | 'light' | 'dark'

/** How one person wants the dashboard; the format of numbers is apart from the language. */
export interface Preferences {
  language: Language
  format: string
  timeZone: string
  theme: Theme
  density: 'dense' | 'comfy'
  shortcuts: boolean
  rail: 'wide' | 'narrow'
}

function cookies(): Record<string, string> {
  const own = document.cookie.split('; ').filter((one) => one.startsWith('giro_'))
  return Object.fromEntries(
    own.map((one) => {
      const at = one.indexOf('=')
      return [one.slice(0, at), decodeURIComponent(one.slice(at + 1))]
    }),
  )
}

/** Whether the person has chosen anything in this browser. */
let chosenHere = false
export function hasChosen(): boolean {
  preferences()
  return chosenHere
}

function setCookie(name: string, value: string) {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/app; Max-Age=31536000; SameSite=Lax${secure}`
}

function defaultFormat(l: Language): string {
  const exact = navigator.languages.find((n) => (formatLocales as readonly string[]).includes(n) && n.slice(0, 2) === l.slice(0, 2))
  return exact ?? { en: 'en-US', 'en-XA': 'en-US', 'pt-BR': 'pt-BR', 'es-419': 'es-CO' }[l]
}

/** The browser's own zone, as long as the person has chosen none. */
let ownZone = false

function lookUpZone(clock = clockNow()): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  setCookie('giro_zone', clock + ' ' + zone)
  return zone
}

/** How far the browser's clock is from UTC over the year: it differs where the zone does, with few exceptions. */
function clockNow(): string {
  const year = new Date().getFullYear()
  return [0, 3, 6, 9].map((month) => new Date(year, month).getTimezoneOffset()).join()
}

/**
 * The browser's zone, which only Intl knows. The first look at that takes longer
 * than all else before the first request, so what was found last stands as long
 * as the clock goes like it; [confirmZone] looks again.
 */
function zoneHere(found = ''): string {
  const clock = clockNow()
  const [then, zone] = found.split(' ')
  return zone && then === clock ? zone : lookUpZone(clock)
}

/** Looks again which zone the browser is in, when there is time for it. */
export function confirmZone() {
  if (!ownZone) return
  const timeZone = lookUpZone()
  if (timeZone !== preferences().timeZone) change({ ...preferences(), timeZone })
}

/** All in cookies: the server reads the theme, and the browser's storage may keep the first script waiting for longer than all else it does. */
function read(): Preferences {
  const { giro_preferences: rest, giro_language: chosen = '', giro_theme: theme, giro_zone: zone } = cookies()
  chosenHere = chosen !== ''
  let saved: Partial<Preferences> = {}
  try {
    saved = JSON.parse(rest || '{}') as Partial<Preferences>
  } catch {
    // Not ours: the defaults stand.
  }
  ownZone = saved.timeZone === undefined
  const language = isLanguage(chosen) ? chosen : preferredLanguage()
  return {
    language,
    format: saved.format ?? defaultFormat(language),
    timeZone: saved.timeZone ?? zoneHere(zone),
    theme: theme === 'light' || theme === 'dark' ? theme : 'auto',
    density: saved.density ?? 'dense',
    shortcuts: saved.shortcuts ?? true,
    rail: saved.rail ?? 'wide',
  }
}

let current: Preferences | undefined
const listeners = new Set<() => void>()

export function preferences(): Preferences {
  return (current ??= read())
}

function change(now: Preferences) {
  current = now
  for (const l of listeners) l()
}

export function setPreferences(chosen: Partial<Preferences>) {
  const before = preferences()
  const now = { ...before, ...chosen }
  if (now.language !== before.language && chosen.format === undefined) now.format = defaultFormat(now.language)
  ownZone = false
  const { language, theme, ...rest } = now
  setCookie('giro_theme', theme)
  setCookie('giro_language', language)
  setCookie('giro_preferences', JSON.stringify(rest))
  document.documentElement.dataset.theme = theme
  document.documentElement.dataset.density = now.density
  change(now)
}

/** Calls listen after every change, until the returned function is called. */
export function onPreferences(listen: () => void): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}
