import { useEffect, useRef } from 'react'
import { preferences } from './preferences.ts'

type Keys = Record<string, (event: KeyboardEvent) => void>
interface Scope {
  keys: Keys
  modal: boolean
}

// The top-most scope comes first; a dialog's hides what lies under it.
const scopes: { current: Scope }[] = []
let pending = ''
let pendingAt = 0

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) && !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type))
}

function name(event: KeyboardEvent): string {
  const key = event.key === ' ' ? 'Space' : event.key
  if (event.ctrlKey || event.metaKey) return 'Mod+' + key.toLowerCase()
  if (event.shiftKey && key.length > 1) return 'Shift+' + key
  return key
}

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.isComposing || event.altKey) return
  const key = name(event)
  const command = key.startsWith('Mod+')
  if (!command && (typing(event.target) || !preferences().shortcuts)) return
  // A menu that is open has the keys, and Escape closes it: not the page behind.
  if (!command && document.querySelector(':popover-open')) return
  const sequence = pending && Date.now() - pendingAt < 1500 ? pending + ' ' + key : ''
  pending = ''
  // Space and Enter on a control are the control's own.
  if ((key === 'Space' || key === 'Enter') && event.target instanceof HTMLElement && event.target.closest('button, a, summary, [role=menuitem], input')) {
    if (!(key === 'Space' && event.target.closest('a[data-row]'))) return
  }
  for (let i = scopes.length - 1; i >= 0; i--) {
    const scope = scopes[i]!.current
    const run = (sequence && scope.keys[sequence]) || scope.keys[key]
    if (run) {
      event.preventDefault()
      run(event)
      return
    }
    if (Object.keys(scope.keys).some((k) => k.startsWith(key + ' '))) {
      pending = key
      pendingAt = Date.now()
      return
    }
    if (scope.modal) return
  }
})

/** Single keys, "Mod+k", or sequences such as "g h"; they hold while the component is there. */
export function useKeys(keys: Keys, kind: 'page' | 'base' | 'modal' = 'page') {
  const modal = kind === 'modal'
  const scope = useRef<Scope>({ keys, modal })
  useEffect(() => {
    scope.current = { keys, modal }
  })
  useEffect(() => {
    if (kind === 'base') scopes.unshift(scope)
    else scopes.push(scope)
    return () => {
      scopes.splice(scopes.indexOf(scope), 1)
    }
  }, [])
}

/** Something that the page which is open can do, for the palette. */
export interface PageAct {
  id: string
  text: string
  run: () => void
}

let acts: PageAct[] = []

/** Tells the palette what can be done on the page, while it is there. */
export function usePageActs(list: PageAct[]) {
  useEffect(() => {
    acts = list
  })
  useEffect(
    () => () => {
      acts = []
    },
    [],
  )
}

export function pageActs(): PageAct[] {
  return acts
}
