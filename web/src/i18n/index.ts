import en from './en.json'

/** The catalogues are flat and have the same keys; a test holds that. */
export type Key = keyof typeof en
type PluralKey = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never
export type Values = Record<string, string | number>

export const languages = { en: 'English', 'pt-BR': 'Português (Brasil)', 'es-419': 'Español (Latinoamérica)' } as const
/** en-XA is English made longer by two fifths, for looking at the pages with; nobody is offered it. */
export type Language = keyof typeof languages | 'en-XA'

export function isLanguage(name: string): name is Language {
  return name in languages || name === 'en-XA'
}

let catalogue: Record<string, string> = en
let language: Language = 'en'
let plurals = new Intl.PluralRules('en')

export function currentLanguage(): Language {
  return language
}

/** The language of a person who has chosen none. */
export function preferredLanguage(wanted: readonly string[] = navigator.languages): Language {
  for (const w of wanted) {
    const base = w.slice(0, 2).toLowerCase()
    if (base === 'pt') return 'pt-BR'
    if (base === 'es') return 'es-419'
    if (base === 'en') return 'en'
  }
  return 'en'
}

export async function loadLanguage(l: Language): Promise<void> {
  if (l === 'pt-BR') catalogue = (await import('./pt-BR.json')).default
  else if (l === 'es-419') catalogue = (await import('./es-419.json')).default
  else if (l === 'en-XA') catalogue = Object.fromEntries(Object.entries(en).map(([key, text]) => [key, longer(text)]))
  else catalogue = en
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
  return put(catalogue[key] ?? en[key], values)
}

/** The text for a count: key.one, key.many or key.other, with {n}. */
export function tn(key: PluralKey, n: number, values?: Values): string {
  const form = catalogue[`${key}.${plurals.select(n)}`] ?? catalogue[`${key}.other`] ?? en[`${key}.other` as Key]
  return put(form, { n: new Intl.NumberFormat(language).format(n), ...values })
}

/** The label of a wire value, or the value itself where there is none. */
export function label(group: string, value: string): string {
  return catalogue[`${group}.${value}`] ?? value
}

/** What an event says, agreeing with the noun that stands before it. */
export function eventLabel(kind: string, what: string): string {
  const own = kind === 'transfer' ? label('event_transfer', what) : what
  return own === what ? label('event', what) : own
}
