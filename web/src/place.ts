import type { Schema } from './api/client.ts'
import type { Search } from './url.ts'

export type Session = Schema<'Session'>
export type Merchant = Session['merchants'][number]
export type Permission = Merchant['permissions']['test'][number]

/** Who is signed in, and at which merchant in which mode the page stands. */
export interface Place {
  session: Session
  merchant: Merchant
  live: boolean
}

/** Where a page's query says that it stands; undefined for who has no merchant at all. */
export function placeOf(session: Session, search: Search): Place | undefined {
  const merchant = session.merchants.find((m) => m.id === search.merchant) ?? session.merchants[0]
  return merchant && { session, merchant, live: search.mode === 'live' }
}

/** The query that says so too, so that a copied link shows the same to others. */
export function placed(search: Search, place: Place): Search {
  return { ...search, mode: place.live ? 'live' : 'test', ...(place.session.merchants.length > 1 ? { merchant: place.merchant.id } : {}) }
}

/** Reports what the person may do in a place. Only a courtesy: the API decides. */
export function allows(place: Place, p: Permission): boolean {
  const { test, live } = place.merchant.permissions
  return (place.live ? live : test).includes(p)
}
