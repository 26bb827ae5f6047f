import { createContext, useContext, useSyncExternalStore } from 'react'
import { allows, type Permission, type Place } from './place.ts'
import { onPreferences, type Preferences, preferences } from './preferences.ts'

export const PlaceContext = createContext<Place | undefined>(undefined)

export function usePlace(): Place {
  const p = useContext(PlaceContext)
  if (!p) throw new Error('no place')
  return p
}

/** Reports what the person may do here. Only a courtesy: the API decides. */
export function useMay(): (p: Permission) => boolean {
  const place = usePlace()
  return (p) => allows(place, p)
}

/** How the person wants the dashboard; draws again when that changes. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(onPreferences, preferences)
}
