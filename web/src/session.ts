import { createContext, useContext } from 'react'
import type { Schema } from './api/client.ts'

export type Session = Schema<'Session'>
export type Merchant = Session['merchants'][number]
export type Permission = Merchant['permissions']['test'][number]

/** Who is signed in, and at which merchant in which mode the page stands. */
export interface Place {
  session: Session
  merchant: Merchant
  live: boolean
}

export const PlaceContext = createContext<Place | undefined>(undefined)

export function usePlace(): Place {
  const p = useContext(PlaceContext)
  if (!p) throw new Error('no place')
  return p
}

/** Reports what the person may do here. Only a courtesy: the API decides. */
export function useMay(): (p: Permission) => boolean {
  const { merchant, live } = usePlace()
  const list = live ? merchant.permissions.live : merchant.permissions.test
  return (p) => list.includes(p)
}
