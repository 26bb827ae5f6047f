export type Document = { type: string; number: string; country?: string } | null

/** An identity document with its middle only: enough to tell people apart. */
export function masked(d: Document | undefined): string {
  if (!d) return ''
  const n = d.number
  return `${d.type} ${n.length <= 5 ? '•'.repeat(n.length) : '•'.repeat(3) + n.slice(3, -2) + '••'}`
}
