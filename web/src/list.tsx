import { columnVisibilityFeature, rowSelectionFeature, type RowSelectionState, tableFeatures, useTable } from '@tanstack/react-table'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { fill, type Path, Problem, type Query } from './api/client.ts'
import { apiQuery, boundsOf, type Filter, listQuery, pagers, pageSizes, ranges, sizeOf } from './asks.ts'
import { usePageRequest, useRead } from './data.ts'
import { download } from './download.ts'
import { digits, milliseconds, money, number, parseAmount, time } from './format.ts'
import { type Key, label, labelOf, t, tn } from './i18n/index.ts'
import type { Matching } from './bulk.tsx'
import { useKeys } from './keys.ts'
import { onEvent } from './live.ts'
import { A, useGo, useSearch } from './nav.tsx'
import { preferences, setPreferences } from './preferences.ts'
import { Dialog } from './ui/dialog.tsx'
import { Icon } from './ui/icon.tsx'
import { Item, Menu } from './ui/menu.tsx'
import { Failure, Field, Loading, toast } from './ui/parts.tsx'
import { useMay, usePreferences } from './session.ts'
import { currentPath, type Search } from './url.ts'
import { Views } from './views.tsx'
import { keepWay, returnTo } from './way.ts'
import { clockOf, instantOf } from './zone.ts'

/** One column of a list. `off` ones are chosen in the columns menu. */
export interface Column<T> {
  id: string
  header: Key
  /** What stands in it; undefined or null where there is nothing to say. */
  cell: (row: T) => ReactNode
  end?: boolean
  off?: boolean
}

export interface List<T> {
  /** Also the id of its saved views and columns. */
  name: string
  title: Key
  /** What one of it is called on the wire; words agree with it. */
  noun?: string
  path: Path
  values?: string[]
  id: (row: T) => string
  href?: (row: T) => string
  columns: Column<T>[]
  filters?: Filter[]
  /** Statuses as tabs above the list. */
  tabs?: readonly string[]
  /** How many there are by status, and `all`. */
  counts?: Record<string, number> | undefined
  capped?: boolean
  /** The kind of event that adds a row: "charge.created". */
  adds?: string
  fixed?: Query
  pageSize?: number
  empty?: ReactNode
  actions?: ReactNode
  /** What goes between tabs and table. */
  strip?: ReactNode
  /** What can be done to the selected rows, or to all that match. */
  bulk?: (selected: T[], clear: () => void, matching?: Matching) => ReactNode
  peek?: (row: T) => ReactNode
  /** The words of a button per row that opens the drawer, where rows have no page. */
  open?: string
  /** The route's kind of export. */
  exports?: string
  /** Saved views; the page of the list. */
  page?: string
  command?: string
  /** The route answers everything at once. */
  unpaged?: boolean
  /** Milliseconds; for what no event tells of. */
  poll?: number
  /** Rows stay where they are when somebody comes back to the tab. */
  still?: boolean
  /** The row that the reader came for: it is scrolled to, once. */
  marked?: string
  /** Under a detail page: no title, no shortcuts of its own. */
  inner?: boolean
}

const features = tableFeatures({ columnVisibilityFeature, rowSelectionFeature })

function filterNames(filters: Filter[], search: Search): string[] {
  const names = filters.flatMap((f) => (f.kind === 'created' ? ['range', 'gte', 'lte', 'gt', 'lt'].map((op) => (op === 'range' ? op : `${f.param}[${op}]`)) : f.kind === 'amount' || f.kind === 'took' ? boundsOf(f).map((op) => `${f.param}[${op}]`) : f.kind === 'metadata' ? Object.keys(search).filter((n) => n.startsWith('metadata[')) : [f.param]))
  return names.filter((n) => search[n])
}

/** How many filters stand open above a list. */
const pillsMax = 6

function trailKey(name: string) {
  return 'giro.trail.' + name
}

export function ListView<T extends object>(list: List<T>) {
  const filters = list.filters ?? []
  const [search, setSearch] = useSearch()
  const go = useGo()
  const p = usePreferences()
  // Several inner lists stand on one page, and on the way to another: their places have names of their own.
  const placeName = (pager: string) => (list.inner ? `${list.name}.${pager}` : pager)
  const query = list.unpaged ? apiQuery(filters, search, list.fixed) : listQuery(filters, search, { fixed: list.fixed, size: list.pageSize, places: pagers.map((name) => [name, search[placeName(name)]]) })
  const q = useRead(list.path, list.values, query, { keep: true, still: list.still || !!list.adds, poll: list.poll })
  const rows = (q.data?.data as T[] | undefined) ?? []
  const next = q.data?.next
  const url = fill(list.path, list.values)
  usePageRequest(list.inner ? undefined : { method: 'GET', path: url, query, data: q.data?.data, command: list.command })

  // A cursor belongs to its filters: one from a link whose range has moved on begins anew.
  const error = q.error
  useEffect(() => {
    if (error instanceof Problem && error.code === 'invalid_cursor') setSearch({ [placeName('cursor')]: undefined }, true)
  }, [error])

  const pager = pagers.find((n) => search[placeName(n)]) ?? 'cursor'
  const position = search[placeName(pager)] ?? ''
  /** Where the page before this one begins: '' is the first; undefined is not known. */
  const placeBefore = (): string | undefined => {
    try {
      return (JSON.parse(sessionStorage.getItem(trailKey(list.name)) ?? '{}') as Record<string, string>)[position]
    } catch {
      return undefined
    }
  }
  const keep = () => {
    if (!list.href) return
    const before = position ? placeBefore() : undefined
    keepWay({ page: currentPath(), search, rows: rows.map(list.href), url, before: before === undefined ? undefined : { ...query, [pager]: before }, after: next })
  }
  const forward = () => {
    if (!next) return
    const name = pagers.find((n) => next[n])
    if (!name) return
    try {
      const trail = JSON.parse(sessionStorage.getItem(trailKey(list.name)) ?? '{}') as Record<string, string>
      trail[next[name]!] = position
      sessionStorage.setItem(trailKey(list.name), JSON.stringify(trail))
    } catch {
      // The way back is the first page then.
    }
    setSearch({ [placeName(name)]: next[name] })
  }
  const backward = () => setSearch({ [placeName(pager)]: placeBefore() || undefined })

  // New rows are counted, not inserted: nothing moves under the cursor.
  const [fresh, setFresh] = useState(0)
  const scopeOfFresh = JSON.stringify(query)
  useEffect(() => setFresh(0), [scopeOfFresh])
  useEffect(() => (list.adds && !position ? onEvent((e) => (e.type === list.adds ? setFresh((n) => n + 1) : undefined)) : undefined), [list.adds, position])
  const refresh = () => {
    setFresh(0)
    void q.refetch()
  }

  const chosen = search.cols?.split(',')
  const visible = (c: Column<T>) => (chosen ? chosen.includes(c.id) : !c.off)
  const [selection, setSelection] = useState<RowSelectionState>({})
  const shown = JSON.stringify([url, position, search])
  useEffect(() => setSelection({}), [shown])
  // All that match, on this page and the others.
  const [everything, setEverything] = useState(false)
  useEffect(() => setEverything(false), [selection])
  const status = search.status ?? ''
  const inAll = list.counts && !status.includes(',') ? (list.counts[status || 'all'] ?? 0) : 0
  const matching: Matching | undefined = everything ? { count: inAll, query: { ...apiQuery(filters, search, list.fixed) } } : undefined
  const table = useTable({
    features,
    data: rows,
    columns: list.columns.map((c) => ({ id: c.id, header: () => t(c.header), cell: (x: { row: { original: T } }) => c.cell(x.row.original) })),
    getRowId: (row: T) => list.id(row),
    state: { rowSelection: selection, columnVisibility: Object.fromEntries(list.columns.map((c) => [c.id, visible(c)])) },
    onRowSelectionChange: setSelection,
  })
  const selected = table.getRowModel().rows.filter((r) => r.getIsSelected())
  const selectable = !!list.bulk || !!list.exports

  const [saving, setSaving] = useState(false)
  const may = useMay()
  const body = useRef<HTMLTableSectionElement>(null)
  const links = () => [...(body.current?.querySelectorAll<HTMLAnchorElement>('a[data-row]') ?? [])]
  const step = (by: number) => {
    const all = links()
    const at = all.indexOf(document.activeElement as HTMLAnchorElement)
    all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))]?.focus()
  }
  const focused = () => {
    const id = (document.activeElement as HTMLElement | null)?.closest('tr')?.dataset.id
    return table.getRowModel().rows.find((r) => r.id === id)
  }
  // After the router has put the page where it was.
  const seen = rows.length > 0 && !list.inner
  useEffect(() => {
    if (!seen) return
    const timer = setTimeout(() => returnTo(body.current), 50)
    return () => clearTimeout(timer)
  }, [seen])
  const scrolled = useRef('')
  const scrollTo = (id: string) => (tr: HTMLTableRowElement | null) => {
    if (!tr || id !== list.marked || id === scrolled.current) return
    scrolled.current = id
    tr.scrollIntoView({ block: 'center' })
  }
  const filterBar = useRef<HTMLDivElement>(null)
  // The first few, those that are set, and those that were called for; a menu has the rest.
  const [called, setCalled] = useState<string[]>([])
  const possible = filters.filter((f) => !(list.tabs && f.param === 'status') || (search.status ?? '').includes(','))
  const pills = possible.filter((f, i) => i < pillsMax || possible.length === pillsMax + 1 || called.includes(f.id) || filterNames([f], search).length > 0)
  const further = possible.filter((f) => !pills.includes(f))
  const [peeked, setPeeked] = useState<T>()
  const lastSelected = useRef('')
  const select = (range: boolean) => {
    const r = focused()
    if (!r) return
    const all = table.getRowModel().rows
    const from = all.findIndex((x) => x.id === lastSelected.current)
    const to = all.indexOf(r)
    if (range && from >= 0) setSelection((s) => ({ ...s, ...Object.fromEntries(all.slice(Math.min(from, to), Math.max(from, to) + 1).map((x) => [x.id, true as const])) }))
    else r.toggleSelected()
    lastSelected.current = r.id
  }
  useKeys(
    list.inner
      ? {}
      : {
          j: () => step(1),
          ArrowDown: () => step(1),
          k: () => step(-1),
          ArrowUp: () => step(-1),
          ...(list.peek ? { Space: () => setPeeked(focused()?.original) } : {}),
          ...(selectable ? { x: () => select(false), X: () => select(true) } : {}),
          f: () => filterBar.current?.querySelector<HTMLElement>('button.filter')?.click(),
          ...(list.exports ? { e: () => download(list.exports!, query) } : {}),
          ...(list.page && may('views.write') ? { s: () => setSaving(true), v: () => document.querySelector<HTMLElement>('.views a, .views button')?.focus() } : {}),
          r: refresh,
          ']': forward,
          '[': () => (position ? backward() : undefined),
        },
  )
  const active = filterNames(filters, search)
  const clear = () => setSearch({ ...Object.fromEntries(active.map((n) => [n, undefined])), cursor: undefined, before: undefined })

  const tools = (
    <span className="row tools">
      <Menu label={t('list.columns')} icon="columns" className="quiet square" kind="form" end>
        {() => (
          <fieldset className="checks">
            <legend>{t('list.columns')}</legend>
            {list.columns.map((c) => (
              <label key={c.id}>
                <input
                  type="checkbox"
                  checked={visible(c)}
                  onChange={(e) => {
                    const ids = list.columns.filter((x) => (x.id === c.id ? e.target.checked : visible(x))).map((x) => x.id)
                    const usual = list.columns.filter((x) => !x.off).map((x) => x.id)
                    if (ids.length) setSearch({ cols: ids.join() === usual.join() ? undefined : ids.join(',') }, true)
                  }}
                />
                {t(c.header)}
              </label>
            ))}
            <hr />
            <label>
              <input type="checkbox" checked={p.density === 'comfy'} onChange={(e) => setPreferences({ density: e.target.checked ? 'comfy' : 'dense' })} />
              {t('list.comfy')}
            </label>
          </fieldset>
        )}
      </Menu>
      <button type="button" className="quiet square" onClick={refresh} aria-label={t('refresh')} title={t('refresh')}>
        <Icon name="refresh" />
      </button>
    </span>
  )

  return (
    <div className="list">
      {!list.inner && (
        <div className="page-head">
          <h1>{t(list.title)}</h1>
          <div className="row">
            {list.exports && (
              <button type="button" onClick={() => download(list.exports!, query)} title="e">
                <Icon name="export" /> {t('export')}
              </button>
            )}
            {filters.length === 0 && tools}
            {list.actions}
          </div>
        </div>
      )}
      {list.page && <Views page={list.name} path={list.page} search={search} saving={saving} onSaving={setSaving} />}
      {list.tabs && (
        <nav className="tabs" aria-label={t('list.statuses')}>
          {['', ...list.tabs].map((s) => {
            const on = (search.status ?? '') === s
            const { status: _status, cursor: _cursor, before: _before, ...rest } = search
            return (
              <A key={s} href={currentPath()} search={s ? { ...rest, status: s } : rest} aria-current={on ? 'page' : undefined} className={on ? 'tab on' : 'tab'}>
                {s ? labelOf('status', list.noun, s) : labelOf('list', list.noun, 'all')}
                {list.counts && (
                  <span className="count">
                    {number(list.counts[s || 'all'] ?? 0)}
                    {list.capped && (list.counts[s || 'all'] ?? 0) >= 10_000 && '+'}
                  </span>
                )}
              </A>
            )
          })}
        </nav>
      )}
      {list.strip}
      {filters.length > 0 && (
        <div className="toolbar">
          <div className="filters" ref={filterBar}>
            {pills.map((f) => (
              <FilterPill key={f.id} filter={f} search={search} set={(change) => setSearch({ ...change, cursor: undefined, before: undefined })} />
            ))}
            {further.length > 0 && (
              <Menu label={t('filter.more')} text={t('filter.more')} caret className="quiet small">
                {(close) =>
                  further.map((f) => (
                    <Item
                      key={f.id}
                      onSelect={() => {
                        close()
                        setCalled([...called, f.id])
                        // Its form opens as soon as its button is there.
                        setTimeout(() => filterBar.current?.querySelector<HTMLElement>(`[data-filter=${f.id}]`)?.click())
                      }}
                    >
                      {t(f.label)}
                    </Item>
                  ))
                }
              </Menu>
            )}
            {active.length > 0 && (
              <button type="button" className="quiet small" onClick={clear}>
                {t('list.clear')}
              </button>
            )}
          </div>
          {tools}
        </div>
      )}
      <div className="fresh" aria-live="polite">
        {fresh > 0 && (
          <button type="button" className="pill" onClick={refresh}>
            {tn('list.new', fresh)}
          </button>
        )}
      </div>
      {q.error && !(q.error instanceof Problem && q.error.code === 'invalid_cursor') ? (
        <Failure error={q.error} retry={() => void q.refetch()} />
      ) : q.isPending ? (
        <Loading />
      ) : rows.length === 0 ? (
        <div className={list.inner ? 'muted' : 'empty'}>
          {active.length > 0 ? (
            <>
              <p>{t('list.no_match', { filters: filters.filter((f) => filterNames([f], search).length).map((f) => filterWords(f, search)).join(', ') })}</p>
              <div className="row">
                <button type="button" onClick={clear}>
                  {t('list.clear')}
                </button>
                {search.range && search.range !== '90d' && (
                  <button type="button" onClick={() => setSearch({ range: '90d', cursor: undefined })}>
                    {t('list.widen')}
                  </button>
                )}
              </div>
            </>
          ) : position ? (
            <p>{t('list.end')}</p>
          ) : (
            (list.empty ?? <p>{t('list.nothing')}</p>)
          )}
        </div>
      ) : (
        <div className={'table-wrap' + (q.isPlaceholderData ? ' stale' : '')}>
          <table role="table" aria-label={t(list.title)} aria-busy={q.isFetching && q.isPlaceholderData}>
            <thead role="rowgroup">
              <tr role="row">
                {selectable && (
                  <th role="columnheader" scope="col" className="pick">
                    <input
                      type="checkbox"
                      aria-label={t('list.select_page')}
                      checked={table.getIsAllRowsSelected()}
                      ref={(box) => {
                        if (box) box.indeterminate = selected.length > 0 && !table.getIsAllRowsSelected()
                      }}
                      onChange={(e) => table.toggleAllRowsSelected(e.target.checked)}
                    />
                  </th>
                )}
                {table.getVisibleLeafColumns().map((c) => {
                  const column = list.columns.find((x) => x.id === c.id)!
                  return (
                    <th key={c.id} role="columnheader" scope="col" className={column.end ? 'end' : undefined} aria-sort={column.id === 'created' && !list.unpaged ? 'descending' : undefined}>
                      {t(column.header)}
                    </th>
                  )
                })}
                {list.open && <td role="cell" />}
              </tr>
            </thead>
            <tbody ref={body} role="rowgroup">
              {table.getRowModel().rows.map((row) => (
                <tr key={row.id} role="row" data-id={row.id} aria-selected={selectable ? row.getIsSelected() : undefined} aria-current={row.id === list.marked ? 'true' : undefined} ref={row.id === list.marked ? scrollTo(row.id) : undefined} className={row.getIsSelected() || row.id === list.marked ? 'on' : undefined}>
                  {selectable && (
                    <td role="cell" className="pick">
                      <input
                        type="checkbox"
                        aria-label={t('list.select_row', { id: row.id })}
                        checked={row.getIsSelected()}
                        onChange={(e) => {
                          row.getToggleSelectedHandler()(e)
                          lastSelected.current = row.id
                        }}
                      />
                    </td>
                  )}
                  {row.getVisibleCells().map((cell, n) => {
                    const column = list.columns.find((x) => x.id === cell.column.id)!
                    const said = column.cell(row.original)
                    const none = said === undefined || said === null
                    const content = none ? '—' : said
                    return (
                      <td key={cell.id} role="cell" className={[column.end && 'end', none && 'none'].filter(Boolean).join(' ') || undefined} data-label={t(column.header)}>
                        {n === 0 && list.href ? (
                          <A href={list.href(row.original)} data-row className="row-link" onClick={keep}>
                            {content}
                          </A>
                        ) : (
                          content
                        )}
                      </td>
                    )
                  })}
                  {list.open && (
                    <td role="cell" className="end">
                      <button type="button" className="small" onClick={() => setPeeked(row.original)}>
                        {list.open}
                      </button>
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {!((list.unpaged && !list.bulk) || (list.inner && !position && !next && selected.length === 0)) && (
        <div className="pager">
          {selected.length > 0 ? (
            <div className="bulk" role="status">
              <span>{matching ? tn('list.selected', matching.count, { n: number(matching.count) }) : tn('list.selected', selected.length)}</span>
              {inAll > selected.length && (
                <button type="button" className="quiet" aria-pressed={everything} onClick={() => setEverything(!everything)}>
                  {everything ? t('list.only_page') : t('list.select_matching', { n: number(inAll) + (list.capped && inAll >= 10_000 ? '+' : '') })}
                </button>
              )}
              {list.exports && (
                <button type="button" onClick={() => download(list.exports!, matching?.query ?? { ids: selected.map((r) => r.id).join(',') })}>
                  <Icon name="export" /> {t('export.selected')}
                </button>
              )}
              {list.bulk?.(
                selected.map((r) => r.original),
                () => setSelection({}),
                matching,
              )}
            </div>
          ) : (
            <span className="muted small">{rows.length > 0 && tn('list.shown', rows.length)}</span>
          )}
          <span className="grow" />
          {!list.inner && !list.unpaged && (rows.length >= pageSizes[0]! || search.size) && (
            <select className="fit not-small" aria-label={t('list.size')} value={sizeOf(search)} onChange={(e) => setSearch({ size: Number(e.target.value) === pageSizes[0] ? undefined : e.target.value, cursor: undefined, before: undefined })}>
              {pageSizes.map((n) => (
                <option key={n} value={n}>
                  {t('list.per_page', { n })}
                </option>
              ))}
            </select>
          )}
          <button type="button" disabled={!position} onClick={() => setSearch({ [placeName(pager)]: undefined })}>
            {t('list.first')}
          </button>
          <button type="button" disabled={!position} onClick={backward} aria-label={t('list.previous')} title="[">
            <Icon name="left" />
          </button>
          <button type="button" disabled={!next} onClick={forward} aria-label={t('list.next')} title="]">
            <Icon name="right" />
          </button>
        </div>
      )}
      {peeked && list.peek && (
        <Dialog title={list.open ?? t('peek')} kind="drawer" onClose={() => setPeeked(undefined)}>
          {list.href && (
            <p className="row">
              <button
                type="button"
                onClick={() => {
                  const href = list.href!(peeked)
                  keep()
                  setPeeked(undefined)
                  go(href)
                }}
              >
                {t('open')}
              </button>
            </p>
          )}
          {list.peek(peeked)}
        </Dialog>
      )}
    </div>
  )
}

/** Minor units of what stands in a filter of amounts: the filter's currency, or two decimals. */
function filterCurrency(search: Search): string {
  return search.currency ?? 'usd'
}

function filterText(f: Filter, search: Search): string {
  const amount = (v: string) => (search.currency ? money(v, search.currency) : new Intl.NumberFormat(preferences().format, { minimumFractionDigits: 2 }).format(Number(v) / 10 ** digits('usd')))
  switch (f.kind) {
    case 'created': {
      if (search.range) return t(('range.' + search.range) as Key)
      const day = (v: string | undefined) => (v ? time(/^\d+$/.test(v) ? Number(v) * 1000 : Date.parse(v), 'day') : '…')
      const from = search[f.param + '[gte]']
      const before = search[f.param + '[lt]']
      // The end of lt is not in it: a stretch to midnight ends on the day before.
      const to = search[f.param + '[lte]'] ?? (before && /^\d+$/.test(before) ? String(Number(before) - 1) : before)
      return from || to ? `${day(from)} – ${day(to)}` : ''
    }
    case 'amount': {
      const from = search[f.param + '[gte]']
      const to = search[f.param + '[lte]']
      return [from && '≥ ' + amount(from), to && '≤ ' + amount(to)].filter(Boolean).join(', ')
    }
    case 'took': {
      const bound = (op: string, sign: string) => search[`${f.param}[${op}]`] && sign + ' ' + milliseconds(Number(search[`${f.param}[${op}]`]))
      return [bound('gte', '≥'), bound('gt', '>'), bound('lte', '≤')].filter(Boolean).join(', ')
    }
    case 'currency':
      return (search[f.param] ?? '').toUpperCase()
    case 'metadata':
      return Object.keys(search)
        .filter((n) => n.startsWith('metadata['))
        .map((n) => `${n.slice(9, -1)} = ${search[n]}`)
        .join(', ')
    case 'choice':
      return (search[f.param] ?? '')
        .split(',')
        .filter(Boolean)
        .map((v) => f.names?.[v] ?? (f.group ? label(f.group, v) : v))
        .join(', ')
    default:
      return search[f.param] ?? ''
  }
}

/** A filter where nothing fits it: by the wire's own name, or in words where that has bounds. */
function filterWords(f: Filter, search: Search): string {
  if (f.kind === 'created') return search.range ? filterText(f, search).toLocaleLowerCase() : `${t(f.label)} ${filterText(f, search)}`
  if (f.kind === 'amount' || f.kind === 'took' || f.kind === 'metadata') return `${t(f.label)} ${filterText(f, search)}`
  return `${f.param}=${search[f.param]}`
}

function FilterPill({ filter: f, search, set }: { filter: Filter; search: Search; set: (change: Record<string, string | undefined>) => void }) {
  const text = filterText(f, search)
  return (
    <span className="filter-pill">
      <Menu label={t(f.label)} current={text || undefined} kind="form" filter={f.id} className={'filter' + (text ? ' on' : '')} text={<>{!text && <Icon name="plus" size={12} />}{t(f.label)}{text && <b>{text}</b>}</>}>
        {(close) => (
          <FilterForm
            filter={f}
            search={search}
            apply={(change) => {
              close()
              set(change)
            }}
          />
        )}
      </Menu>
      {text && (
        <button type="button" className="quiet square small" aria-label={t('filter.remove', { name: t(f.label) })} title={t('remove')} onClick={() => set(Object.fromEntries(filterNames([f], search).map((n) => [n, undefined])))}>
          <Icon name="cross" size={12} />
        </button>
      )}
    </span>
  )
}

function FilterForm({ filter: f, search, apply }: { filter: Filter; search: Search; apply: (change: Record<string, string | undefined>) => void }) {
  const metadata = Object.keys(search).find((n) => n.startsWith('metadata['))
  const day = (v: string | undefined) => {
    const ms = v && (/^\d+$/.test(v) ? Number(v) * 1000 : Date.parse(v))
    return ms ? clockOf(ms).slice(0, 10) : ''
  }
  const submit = (form: FormData) => {
    const v = (name: string) => String(form.get(name) ?? '').trim()
    switch (f.kind) {
      case 'choice':
        return apply({ [f.param]: form.getAll('choice').map(String).join(',') || undefined })
      case 'created': {
        const range = v('range')
        const at = (s: string, end: boolean) => (s ? String(Math.floor(instantOf(s + (end ? 'T23:59:59' : 'T00:00:00')) / 1000)) : undefined)
        return apply({ range: range && range !== 'custom' ? range : undefined, [f.param + '[gte]']: range ? undefined : at(v('from'), false), [f.param + '[lte]']: range ? undefined : at(v('to'), true) })
      }
      case 'amount': {
        const minor = (s: string) => {
          if (!s) return undefined
          const n = parseAmount(s, filterCurrency(search))
          if (n === undefined) toast(t('error.amount'))
          return n === undefined ? undefined : String(n)
        }
        return apply({ [f.param + '[gte]']: minor(v('from')), [f.param + '[lte]']: minor(v('to')) })
      }
      case 'took': {
        const micros = (s: string) => (/^\d+([.,]\d{1,3})?$/.test(s) ? String(Math.round(Number(s.replace(',', '.')) * 1000)) : undefined)
        return apply({ [f.param + '[gt]']: undefined, [f.param + '[gte]']: micros(v('from')), [f.param + '[lte]']: micros(v('to')) })
      }
      case 'metadata': {
        const gone = Object.fromEntries(Object.keys(search).filter((n) => n.startsWith('metadata[')).map((n) => [n, undefined]))
        return apply({ ...gone, ...(v('key') ? { [`metadata[${v('key')}]`]: v('value') } : {}) })
      }
      case 'currency':
        return apply({ [f.param]: v('text').toLowerCase() || undefined })
      default:
        return apply({ [f.param]: v('text') || undefined })
    }
  }
  return (
    <form
      className="filter-form"
      onSubmit={(e) => {
        e.preventDefault()
        submit(new FormData(e.currentTarget))
      }}
    >
      {f.kind === 'choice' && (
        <fieldset className="checks">
          <legend>{t(f.label)}</legend>
          {f.options?.map((o) => (
            <label key={o}>
              <input type={f.single ? 'radio' : 'checkbox'} name="choice" value={o} defaultChecked={(search[f.param] ?? '').split(',').includes(o)} />
              {f.names?.[o] ?? (f.group ? label(f.group, o) : o)}
            </label>
          ))}
        </fieldset>
      )}
      {f.kind === 'created' && (
        <>
          <fieldset className="checks">
            <legend>{t(f.label)}</legend>
            {ranges.map((r) => (
              <label key={r}>
                <input type="radio" name="range" value={r} defaultChecked={search.range === r} />
                {t(('range.' + r) as Key)}
              </label>
            ))}
            <label>
              <input type="radio" name="range" value="" defaultChecked={!search.range} />
              {t('range.custom')}
            </label>
          </fieldset>
          <Field label={t('from')}>{(id) => <input id={id} type="date" name="from" defaultValue={day(search[f.param + '[gte]'])} onInput={(e) => pickCustom(e.currentTarget)} />}</Field>
          <Field label={t('to')}>{(id) => <input id={id} type="date" name="to" defaultValue={day(search[f.param + '[lte]'])} onInput={(e) => pickCustom(e.currentTarget)} />}</Field>
        </>
      )}
      {f.kind === 'amount' && (
        <>
          <Field label={t('at_least')}>{(id) => <input id={id} name="from" inputMode="decimal" autoComplete="off" defaultValue={search[f.param + '[gte]'] ? decimalText(search[f.param + '[gte]']!, search) : ''} />}</Field>
          <Field label={t('at_most')}>{(id) => <input id={id} name="to" inputMode="decimal" autoComplete="off" defaultValue={search[f.param + '[lte]'] ? decimalText(search[f.param + '[lte]']!, search) : ''} />}</Field>
        </>
      )}
      {f.kind === 'took' &&
        ([['from', 'at_least', 'gte'], ['to', 'at_most', 'lte']] as const).map(([name, words, op]) => (
          <Field key={name} label={t(words)} hint={t('unit.milliseconds')}>
            {(id, d) => <input id={id} aria-describedby={d} name={name} inputMode="decimal" autoComplete="off" defaultValue={search[`${f.param}[${op}]`] ? String(Number(search[`${f.param}[${op}]`]) / 1000) : ''} />}
          </Field>
        ))}
      {f.kind === 'metadata' && (
        <>
          <Field label={t('metadata.key')}>{(id) => <input id={id} name="key" autoComplete="off" defaultValue={metadata?.slice(9, -1)} />}</Field>
          <Field label={t('metadata.value')}>{(id) => <input id={id} name="value" autoComplete="off" defaultValue={metadata ? search[metadata] : ''} />}</Field>
        </>
      )}
      {(f.kind === 'text' || f.kind === 'currency') && <Field label={t(f.label)} hint={f.hint && t(f.hint)}>{(id, d) => <input id={id} aria-describedby={d} name="text" autoComplete="off" maxLength={f.kind === 'currency' ? 3 : 255} defaultValue={f.kind === 'currency' ? search[f.param]?.toUpperCase() : search[f.param]} />}</Field>}
      <div className="row end">
        <button type="submit" className="primary">
          {t('apply')}
        </button>
      </div>
    </form>
  )
}

function decimalText(v: string, search: Search): string {
  return new Intl.NumberFormat(preferences().format, { minimumFractionDigits: digits(filterCurrency(search)), useGrouping: false }).format(Number(v) / 10 ** digits(filterCurrency(search)))
}

/** Typing a day chooses the custom range. */
function pickCustom(input: HTMLInputElement) {
  const custom = input.form?.querySelector<HTMLInputElement>('input[name=range][value=""]')
  if (custom) custom.checked = true
}
