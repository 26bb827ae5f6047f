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

/** All in cookies: the server reads the theme, and the browser's storage may keep the first script waiting for longer than all else it does. */
function read(): Preferences {
  const { giro_preferences: rest, giro_language: chosen = '', giro_theme: theme } = cookies()
  chosenHere = chosen !== ''
  let saved: Partial<Preferences> = {}
  try {
    saved = JSON.parse(rest || '{}') as Partial<Preferences>
  } catch {
    // Not ours: the defaults stand.
  }
  const language = isLanguage(chosen) ? chosen : preferredLanguage()
  return {
    language,
    format: saved.format ?? defaultFormat(language),
    timeZone: saved.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
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

export function setPreferences(change: Partial<Preferences>) {
  const before = preferences()
  const now = { ...before, ...change }
  if (now.language !== before.language && change.format === undefined) now.format = defaultFormat(now.language)
  current = now
  const { language, theme, ...rest } = now
  setCookie('giro_theme', theme)
  setCookie('giro_language', language)
  setCookie('giro_preferences', JSON.stringify(rest))
  document.documentElement.dataset.theme = theme
  document.documentElement.dataset.density = now.density
  for (const l of listeners) l()
}

/** Calls listen after every change, until the returned function is called. */
export function onPreferences(listen: () => void): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}
