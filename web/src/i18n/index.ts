import { preferences } from '../preferences.ts'
import type en from './en.json'
import type { Language } from './language.ts'

/** The catalogues are flat and have the same keys; a test holds that. */
export type Key = keyof typeof en
type PluralKey = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never
export type Values = Record<string, string | number>

let catalogue: Record<string, string> = {}
let language: Language = 'en'
let plurals: Intl.PluralRules

export function currentLanguage(): Language {
  return language
}

/** Each on its own way to the browser: nobody fetches words that they do not read. */
const catalogues: Record<Language, () => Promise<Record<string, string>>> = {
  en: async () => (await import('./en.json')).default,
  'en-XA': async () => (await import('./en.json')).default,
  'pt-BR': async () => (await import('./pt-BR.json')).default,
  'es-419': async () => (await import('./es-419.json')).default,
}

export async function loadLanguage(l: Language): Promise<void> {
  const words = await catalogues[l]()
  catalogue = l === 'en-XA' ? Object.fromEntries(Object.entries(words).map(([key, text]) => [key, longer(text)])) : words
  language = l
  plurals = new Intl.PluralRules(l)
  document.documentElement.lang = l
}

/** Accents on what can bear them, and words behind it; places stay as they are. */
function longer(text: string): string {
  const accents: Record<string, string> = { a: 'á', e: 'é', i: 'í', o: 'ó', u: 'ú', n: 'ñ', c: 'ç', A: 'Á', E: 'É', I: 'Í', O: 'Ó', U: 'Ú' }
  const said = text.replace(/\{\w+\}|[a-zA-Z]/g, (part) => accents[part] ?? part)
  const more = Math.ceil(text.replace(/\{\w+\}/g, '').length * 0.4)
  return more < 2 ? said : `${said} ${'xoxo '.repeat(more).slice(0, more - 1).trim()}`
}

function put(text: string, values?: Values): string {
  return values ? text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole)) : text
}

/** The text of a key in the chosen language. */
export function t(key: Key, values?: Values): string {
  return put(catalogue[key] ?? key, values)
}

/** The text for a count: key.one, key.many or key.other, with {n}. */
export function tn(key: PluralKey, n: number, values?: Values): string {
  // Nobody says "0 lançamento", whatever the rule of Portuguese.
  const form = catalogue[`${key}.${n === 0 ? 'other' : plurals.select(n)}`] ?? catalogue[`${key}.other`] ?? key
  return put(form, { n: new Intl.NumberFormat(preferences().format).format(n), ...values })
}

/** The label of a wire value, or the value itself where there is none. */
export function label(group: string, value: string): string {
  return catalogue[`${group}.${value}`] ?? value
}

/** The label of a wire value that agrees with its noun, where that has words of its own. */
export function labelOf(group: string, noun: string | undefined, value: string): string {
  return catalogue[`${group}_${noun}.${value}`] ?? label(group, value)
}
