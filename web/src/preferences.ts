import { useSyncExternalStore } from 'react'
import { isLanguage, type Language, preferredLanguage } from './i18n/index.ts'

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

function cookie(name: string): string {
  const m = document.cookie.match(new RegExp('(?:^|; )' + name + '=([^;]*)'))
  return m ? decodeURIComponent(m[1]!) : ''
}

function setCookie(name: string, value: string) {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/app; Max-Age=31536000; SameSite=Lax${secure}`
}

function defaultFormat(l: Language): string {
  const exact = navigator.languages.find((n) => (formatLocales as readonly string[]).includes(n) && n.slice(0, 2) === l.slice(0, 2))
  return exact ?? { en: 'en-US', 'en-XA': 'en-US', 'pt-BR': 'pt-BR', 'es-419': 'es-CO' }[l]
}

function read(): Preferences {
  let saved: Partial<Preferences> = {}
  try {
    saved = JSON.parse(localStorage.getItem('giro.preferences') ?? '{}') as Partial<Preferences>
  } catch {
    // Not ours, or storage is closed to us: the defaults stand.
  }
  const chosen = cookie('giro_language')
  const language = isLanguage(chosen) ? chosen : (saved.language ?? preferredLanguage())
  const theme = cookie('giro_theme')
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

let current = read()
const listeners = new Set<() => void>()

export function preferences(): Preferences {
  return current
}

export function setPreferences(change: Partial<Preferences>) {
  const languageChanged = change.language !== undefined && change.language !== current.language
  current = { ...current, ...change }
  if (languageChanged && change.format === undefined) current.format = defaultFormat(current.language)
  try {
    localStorage.setItem('giro.preferences', JSON.stringify(current))
  } catch {
    // They hold for this page then.
  }
  setCookie('giro_theme', current.theme)
  setCookie('giro_language', current.language)
  document.documentElement.dataset.theme = current.theme
  document.documentElement.dataset.density = current.density
  for (const l of listeners) l()
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (l) => {
      listeners.add(l)
      return () => listeners.delete(l)
    },
    () => current,
  )
}
