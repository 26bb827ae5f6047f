import { type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react'
import { Icon, type IconName } from './icon.tsx'

/** A button that opens a popover beneath it: a menu of items, or a form. */
export function Menu({ label, icon, text, children, className = '', kind = 'menu', caret = false, end = false, current, filter }: { label: string; icon?: IconName; text?: ReactNode; children: (close: () => void) => ReactNode; className?: string; kind?: 'menu' | 'form'; caret?: boolean; end?: boolean; current?: string; filter?: string }) {
  const id = useId()
  const pop = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const place = () => {
    const p = pop.current!
    const b = button.current!.getBoundingClientRect()
    // Its width is that of its words only where it has the whole window beside it.
    p.style.left = '0'
    const width = p.offsetWidth
    const left = end ? b.right - width : b.left
    p.style.left = Math.max(8, Math.min(left, innerWidth - width - 8)) + 'px'
    const below = innerHeight - b.bottom
    if (below < p.offsetHeight + 12 && b.top > below) p.style.top = Math.max(8, b.top - p.offsetHeight - 4) + 'px'
    else p.style.top = b.bottom + 4 + 'px'
  }
  const close = () => pop.current?.hidePopover()
  const items = () => [...pop.current!.querySelectorAll<HTMLElement>('[role=menuitem],[role=menuitemradio],[role=menuitemcheckbox]')]
  // Once its words are there: before, it has no size of its own, and nothing to focus.
  useLayoutEffect(() => {
    if (!open) return
    place()
    const first = kind === 'menu' ? items()[0] : pop.current!.querySelector<HTMLElement>('input,select,textarea,button,a')
    first?.focus()
  }, [open])
  return (
    <>
      <button ref={button} type="button" data-filter={filter} className={className} popoverTarget={id} aria-haspopup={kind === 'menu' ? 'menu' : 'dialog'} aria-expanded={open} aria-label={text === undefined ? label : current ? `${label}: ${current}` : undefined} title={label}>
        {icon && <Icon name={icon} />}
        {text}
        {caret && <Icon name="down" size={12} />}
      </button>
      <div
        ref={pop}
        id={id}
        popover="auto"
        className="popover"
        role={kind === 'menu' ? 'menu' : 'dialog'}
        aria-label={label}
        onToggle={(e) => {
          setOpen(e.newState === 'open')
        }}
        onKeyDown={(e) => {
          if (kind !== 'menu') return
          const list = items()
          const at = list.indexOf(document.activeElement as HTMLElement)
          if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            e.preventDefault()
            list[(at + (e.key === 'ArrowDown' ? 1 : list.length - 1)) % list.length]?.focus()
          } else if (e.key === 'Tab') close()
          if (e.key !== 'Escape') e.stopPropagation()
        }}
      >
        {open && children(close)}
      </div>
    </>
  )
}

export function Item({ onSelect, children, icon, danger, checked, disabled, hint }: { onSelect: () => void; children: ReactNode; icon?: IconName; danger?: boolean; checked?: boolean; disabled?: boolean; hint?: string }) {
  return (
    <button type="button" role={checked === undefined ? 'menuitem' : 'menuitemradio'} aria-checked={checked} className={'item' + (danger ? ' danger' : '')} disabled={disabled} onClick={onSelect}>
      {checked !== undefined ? <span className="tick">{checked && <Icon name="check" size={14} />}</span> : icon && <Icon name={icon} size={14} />}
      <span className="grow">{children}</span>
      {hint && <kbd>{hint}</kbd>}
    </button>
  )
}
