/** The query of the page: strings as they stand in the URL. */
export type Search = Record<string, string>

/** Where the dashboard stands on its host. */
export const base = '/app'

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text))
}

export function stringifySearch(search: Record<string, unknown>): string {
  const p = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) if (value !== undefined && value !== null && value !== '') p.set(name, String(value))
  const s = p.toString().replaceAll('%5B', '[').replaceAll('%5D', ']').replaceAll('%2C', ',').replaceAll('%3A', ':')
  return s ? '?' + s : ''
}

/** The page that is open, below [base]. */
export function currentPath(): string {
  return location.pathname.slice(base.length) || '/'
}
