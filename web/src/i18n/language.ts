export const languages = { en: 'English', 'pt-BR': 'Português (Brasil)', 'es-419': 'Español (Latinoamérica)' } as const
/** en-XA is English made longer by two fifths, for looking at the pages with; nobody is offered it. */
export type Language = keyof typeof languages | 'en-XA'

export function isLanguage(name: string): name is Language {
  return name in languages || name === 'en-XA'
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
