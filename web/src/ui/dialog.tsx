import { type ReactNode, useId, useLayoutEffect, useRef } from 'react'
import { t } from '../i18n/index.ts'
import { useKeys } from '../keys.ts'
import { Icon } from './icon.tsx'

/** A native modal dialog, or a drawer at the side. The browser keeps the focus inside and gives it back. */
export function Dialog({ title, onClose, children, kind = 'box' }: { title: string; onClose: () => void; children: ReactNode; kind?: 'box' | 'wide' | 'drawer' | 'palette' }) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useKeys({}, 'modal')
  useLayoutEffect(() => {
    const d = ref.current!
    if (!d.open) d.showModal()
    // The first field, where there is one; else the way out that harms nobody.
    const field = d.querySelector<HTMLElement>('[data-focus], form input:not([type=checkbox]), form select, form textarea, .palette-input input')
    ;(field ?? d.querySelector<HTMLElement>('.dialog-foot button.primary') ?? d.querySelector<HTMLElement>('.dialog-foot button:not(.danger):not(.quiet)'))?.focus()
    return () => d.close()
  }, [])
  return (
    <dialog
      ref={ref}
      className={'dialog ' + kind}
      aria-labelledby={id}
      onCancel={(e) => {
        if (e.target !== ref.current) return
        e.preventDefault()
        onClose()
      }}
      onMouseDown={(e) => {
        if (e.target === ref.current && kind !== 'box' && kind !== 'wide') onClose()
      }}
    >
      <div className="dialog-body">
        <header className={kind === 'palette' ? 'hidden' : 'dialog-head'}>
          <h2 id={id}>{title}</h2>
          {kind !== 'palette' && (
            <button type="button" className="quiet square" onClick={onClose} aria-label={t('close')}>
              <Icon name="cross" />
            </button>
          )}
        </header>
        {children}
      </div>
    </dialog>
  )
}
