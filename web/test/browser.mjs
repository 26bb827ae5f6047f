// Walks through the dashboard in a headless Chromium, as people do: run by
// web_test.go, which starts a giro of its own. Each check prints a line, "ok
// name" or "not ok name: why". SHOTS names a folder for a picture of each page,
// CHECKS a regular expression of the checks to run, while working on some.
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'

const first = JSON.parse(process.env.GIRO_FIRST)
const base = first.url
const secret = first.keys.test.secret_key
const shots = process.env.SHOTS
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
if (shots) mkdirSync(shots, { recursive: true })

const wanted = new RegExp(process.env.CHECKS ?? '')

let failed = 0
async function check(name, run) {
  if (!wanted.test(name) && state) return
  const began = Date.now()
  try {
    await run()
    console.log(`ok ${name} (${Date.now() - began} ms)`)
  } catch (err) {
    failed++
    console.log(`not ok ${name}: ${String(err?.stack ?? err).slice(0, 2000).replaceAll('\n', '\\n')}`)
  }
}
function equal(got, want, what) {
  if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}


/**
 * Waits until read answers something that is good, and returns it. What a rail, a
 * job or the stream brings about is there sooner or later: it is never read once.
 */
async function until(what, read, good = Boolean) {
  const end = Date.now() + 60_000
  for (;;) {
    const got = await read()
    if (good(got)) return got
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(got)} after a minute`)
    await new Promise((done) => setTimeout(done, 50))
  }
}
/** Waits until read answers just that. */
const becomes = (want, what, read) => until(`${what}, want ${JSON.stringify(want)}`, read, (got) => got === want)

/** A request of a program with the secret key. */
async function api(method, path, body, key = secret) {
  const r = await fetch(base + path, { method, headers: { Authorization: 'Bearer ' + key, ...(body ? { 'Content-Type': 'application/json' } : {}) }, body: body && JSON.stringify(body) })
  const text = await r.text()
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })

/** What no page may do, whatever is checked: complain, or ask another host. */
const complaints = []
function watch(page, where) {
  page.setDefaultTimeout(60_000) // of a machine that is busy with other tests
  page.on('console', (m) => (m.type() === 'error' || m.type() === 'warning') && !page.expectsErrors && complaints.push(`${where()}: console: ${m.text()}`))
  page.on('response', (r) => r.status() >= 400 && !page.expectsErrors && void r.text().catch(String).then((said) => complaints.push(`${where()}: ${r.status()} ${r.request().method()} ${r.url().slice(base.length)}: ${said}`)))
  page.on('pageerror', (err) => complaints.push(`${where()}: ${err.stack}`))
  page.on('dialog', (d) => {
    complaints.push(`${where()}: a dialog of the page's text: ${d.message()}`)
    void d.dismiss()
  })
  page.on('request', (r) => !r.url().startsWith(base + '/') && !r.url().startsWith('data:') && complaints.push(`${where()}: asked ${r.url()}`))
  return page
}
async function open(context, path = '/') {
  const page = watch(await context.newPage(), () => page.url().slice(base.length))
  await page.goto(base + '/app' + path)
  return page
}

// A receiver of webhooks that fails until it is told not to.
let receives = 500
const receiver = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.statusCode = receives
    response.end(receives === 501 ? Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 255]) : '<script>window.__markup = 1</script><img src=x onerror="window.__markup = 1">')
  })
})
await new Promise((done) => receiver.listen(0, '127.0.0.1', done))
const hooks = `http://127.0.0.1:${receiver.address().port}/hooks`

const evil = '"><img src=x onerror="window.__markup=1"><script>window.__markup=1</script>'
let state, payment, customer

await check('signing in by the printed link, without JavaScript, sets a password', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  await page.goto(first.dashboard_url)
  await page.fill('input[name=name]', 'Ana Souza')
  await page.fill('input[name=email]', 'ana@example.com')
  await page.fill('input[name=password]', 'a sentence that is long')
  await page.click('button[type=submit]')
  await page.waitForURL(base + '/app/**')
  const again = await context.newPage()
  const gone = await again.goto(first.dashboard_url)
  if (!gone || gone.status() < 400) equal(new URL(again.url()).pathname, '/app/', 'a link that was used')
  await context.close()
  const fresh = await browser.newContext()
  const form = await fresh.newPage()
  await form.goto(base + '/app/payments?status=failed')
  equal(new URL(form.url()).pathname, '/app/login', 'without a session')
  await form.fill('input[name=email]', 'ana@example.com')
  await form.fill('input[name=password]', 'a sentence that is long')
  await form.click('button[type=submit]')
  await form.waitForURL('**/app/payments?**')
  equal(new URL(form.url()).searchParams.get('status'), 'failed', 'the page that was asked for')
  const cookie = (await fresh.cookies()).find((c) => /session/.test(c.name))
  equal(cookie.httpOnly && cookie.sameSite === 'Lax', true, 'the cookie')
  state = await fresh.storageState()
  await fresh.close()
})
if (!state) {
  await browser.close()
  process.exit(1)
}

const desk = () => browser.newContext({ storageState: state, viewport: { width: 1280, height: 860 }, locale: 'en-US', timezoneId: 'America/Sao_Paulo' })

await check('an empty giro shows how to begin: a key for an hour, both lines, a test payment', async () => {
  const context = await desk()
  const page = await open(context, '/developers/events')
  for (const path of ['/ledger/transactions', '/developers/logs', '/']) {
    await page.waitForSelector(`.first pre >> text=${base}/v1/charges`)
    await page.goto(base + '/app' + path)
  }
  await page.waitForSelector('.first')
  await page.click('button:has-text("Make a test key for an hour")')
  const lines = page.locator('.first pre')
  await page.waitForSelector('.first pre >> text=sk_test_')
  const curl = await lines.first().innerText()
  const key = curl.match(/sk_test_\w+/)[0]
  equal(curl.includes(base + '/v1/charges') && (await lines.nth(1).innerText()).includes(`GIRO_API_KEY=${key} GIRO_URL=${base}`), true, 'the real host and the key in both lines')
  const kept = (await api('GET', '/v1/api_keys')).find((k) => key.endsWith(k.hint.slice(-4)))
  const left = Date.parse(kept.expires_at.replace(/Z?$/, 'Z')) - Date.now()
  equal(left > 3_500_000 && left <= 3_600_000, true, `${left} ms left of an hour`)
  // What the line says, done; and what the program says.
  await api('POST', '/v1/charges', JSON.parse(curl.match(/-d '(.*)'/)[1]), key)
  await page.click('.first summary')
  const program = await lines.last().innerText()
  const folder = mkdtempSync(join(tmpdir(), 'giro-go-'))
  try {
    writeFileSync(join(folder, 'main.go'), program)
    writeFileSync(join(folder, 'overlay.json'), JSON.stringify({ Replace: { [join(process.cwd(), 'shown', 'main.go')]: join(folder, 'main.go') } }))
    const { stdout } = await promisify(execFile)('go', ['run', '-overlay', join(folder, 'overlay.json'), './shown'])
    equal((await api('GET', '/v1/charges?limit=1'))[0].id, stdout.trim(), 'what the program made')
  } finally {
    rmSync(folder, { recursive: true })
  }
  await page.goto(base + '/app/payouts')
  await page.waitForSelector('.first pre >> text=giro payouts create')
  await page.goto(base + '/app/customers')
  await page.waitForSelector('.first pre >> text=giro customers create')
  await page.goto(base + '/app/developers')
  await page.click('button:has-text("Create a test payment")')
  await page.waitForURL('**/app/payments/ch_**')
  await page.waitForSelector('.headline .s-succeeded')
  await context.close()
})

// Something of every kind, with text that would do harm as markup.
await api('POST', '/v1/test/fund', { currency: 'brl', amount: 5_000_000 })
await api('POST', '/v1/test/fund', { currency: 'usd', amount: 9_000_000 })
customer = await api('POST', '/v1/customers', { name: evil.slice(0, 120), email: 'evil@example.com', reference: 'c-1', metadata: { note: evil } })
const sub = await api('POST', '/v1/accounts', { name: 'seller ' + evil.slice(0, 60), currency: 'brl' })
for (let n = 0; n < 30; n++) await api('POST', '/v1/charges', { amount: 10_000 + n * 111, currency: n % 3 ? 'brl' : 'usd', provider: 'card', card: { token: n % 5 === 4 ? 'tok_declined' : 'tok_ok' }, reference: 'order-' + n, description: n === 7 ? evil : 'Order ' + n })
await api('POST', '/v1/charges', { amount: 2500, currency: 'brl', provider: 'bank', bank: { method: 'pix' }, customer: customer.id })
await api('POST', '/v1/charges', { amount: 7700, currency: 'usd', provider: 'card', card: { token: 'tok_auth' }, capture: false })
await api('POST', '/v1/transfers', { amount: 1234, currency: 'brl', destination: sub.id, description: evil })
const endpoint = await api('POST', '/v1/webhook_endpoints', { url: hooks, events: ['charge.*'], description: evil })
const payoutOf = (body) => api('POST', '/v1/payouts', body)
const payout = (amount) => payoutOf({ amount, currency: 'brl', provider: 'bank', bank: { method: 'pix', key: 'maria@example.com' }, recipient: { name: 'Maria ' + evil.slice(0, 60) } })
payment = await api('POST', '/v1/charges', { amount: 20_000, currency: 'brl', provider: 'card', card: { token: 'tok_ok' }, reference: 'half', description: evil, metadata: { evil } })
const held = await payout(1_009_300)
// What the checks look at is as the rail leaves it, not on its way there.
const statusOf = async (kind, id) => (await api('GET', `/v1/${kind}/${id}`)).status
await becomes('succeeded', 'the payment', () => statusOf('charges', payment.id))
await becomes('onhold', 'the payout that is held', () => statusOf('payouts', held.id))
await until('charges that the rail has not had', async () => (await api('GET', '/v1/charges/counts')).statuses.pending, (n) => n === 2) // one by PIX, one to be captured


await check('a transfer names its accounts', async () => {
  const context = await desk()
  const page = await open(context, '/transfers')
  await page.click(`main tbody a[href*="/ledger/accounts/${sub.id}"]:has-text("seller")`)
  await page.waitForURL('**/ledger/accounts/' + sub.id + '**')
  await page.goBack()
  await page.click('a[data-row]')
  await page.waitForSelector(`main .facts a[href*="/ledger/accounts/${sub.id}"]:has-text("seller")`)
  await context.close()
})

await check('the zone of the last visit is asked with, and gives way to that of the browser', async () => {
  const context = await desk()
  const asked = []
  context.on('request', (r) => r.url().includes('/v1/figures?') && asked.push(new URL(r.url()).searchParams.get('time_zone')))
  const seen = (zone) => context.addCookies([{ name: 'giro_zone', value: encodeURIComponent(zone), domain: new URL(base).hostname, path: '/app' }])
  await seen('180,180,180,180 America/Bahia')
  const page = await open(context, '/')
  await until('the right zone', () => asked, (zones) => zones.at(-1) === 'America/Sao_Paulo')
  equal(asked[0], 'America/Bahia', 'the first zone')
  asked.length = 0
  await page.reload()
  await until('a zone', () => asked.length)
  await seen('0,-60,-60,0 Europe/Lisbon')
  await page.reload()
  await until('another zone', () => asked.length > 1)
  equal([...new Set(asked)].join(), 'America/Sao_Paulo', 'the zones of a clock that goes otherwise')
  await context.close()
})

async function halfRefund() {
  const context = await desk()
  const page = await open(context, '/payments')
  await page.waitForSelector('tr[data-id]')
  await page.evaluate(() => (window.__same = true))
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/payments/' + payment.id + '**')
  await page.waitForSelector('.headline .s-succeeded')
  await page.waitForSelector('.timeline .t-event')
  equal(await page.locator('.timeline .t-refund').count(), 0, 'refunds in the story of a whole payment')
  await page.keyboard.press('R')
  await page.waitForSelector('dialog[open] input')
  await page.keyboard.type('100.00')
  await page.waitForSelector('dialog .effects >> text=R$100.00')
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open]', { state: 'detached' })
  await page.waitForSelector('.timeline .t-refund')
  await page.waitForSelector('.headline >> text=partly refunded')
  equal(await page.evaluate(() => window.__same), true, 'the page was not loaded again')
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  const now = await api('GET', '/v1/charges/' + payment.id)
  equal(now.amount_refunded, 10_000, 'refunded')
  const refunds = await api('GET', '/v1/refunds')
  equal(refunds.length, 1, 'refunds made')
  await context.close()
}

async function neighbours() {
  const context = await desk()
  const page = await open(context, '/payments?currency=brl')
  await page.waitForSelector('tr[data-id]')
  const ids = await page.locator('tr[data-id]').evaluateAll((list) => list.map((r) => r.dataset.id))
  const at = (id) => page.waitForFunction((want) => location.pathname.endsWith(want) && document.querySelector('.crumbs code')?.textContent === want && document.querySelector('.timeline li'), id)
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await at(ids[0])
  equal(await page.locator('.beside button').first().isDisabled(), true, 'there is nothing before the first')
  await page.keyboard.press('j')
  await at(ids[1])
  await page.click('.beside button:has-text("Next")')
  await at(ids[2])
  await page.waitForFunction(() => document.activeElement.textContent === 'Next') // the focus stays with the button
  await page.keyboard.press('k')
  await at(ids[1])
  // Past the end of the page, the list's next one is fetched.
  await page.goto(base + '/app/payments')
  await page.waitForSelector('tr[data-id]')
  const rows = page.locator('a[data-row]')
  const last = await rows.last().getAttribute('href')
  await page.keyboard.press(']')
  await page.waitForURL('**cursor=**')
  await page.waitForFunction((was) => document.querySelector('a[data-row]') && ![...document.querySelectorAll('a[data-row]')].some((a) => a.getAttribute('href') === was), last)
  const second = await rows.first().getAttribute('href')
  await rows.first().click()
  await at(second.match(/ch_\w+/)[0])
  await page.keyboard.press('k')
  await at(last.match(/ch_\w+/)[0])
  await page.keyboard.press('j')
  await at(second.match(/ch_\w+/)[0])
  await page.keyboard.press('Escape')
  await page.waitForURL('**/app/payments?**cursor=**')
  // A page that nobody came to from a list has no neighbours.
  const alone = await open(context, '/payments/' + ids[0])
  await alone.waitForSelector('.timeline li')
  equal(await alone.locator('.beside').count(), 0, 'neighbours without a list')
  // Escape closes the menu that is open, and not the page behind it.
  await alone.click('.page-head [aria-haspopup=menu]')
  await alone.waitForSelector(':popover-open [role=menuitem]')
  await alone.keyboard.press('Escape')
  await alone.waitForSelector(':popover-open', { state: 'detached' })
  equal(new URL(alone.url()).pathname, '/app/payments/' + ids[0], 'the page behind a menu')
  await context.close()
}

/** What Home and a list need is asked before anything is drawn, and asked once. */
async function early() {
  const context = await desk()
  const needs = { '/': 6, '/payments?status=succeeded&currency=brl': 4, '/payouts': 4 }
  for (const path of Object.keys(needs)) {
    // What is old when it is drawn is asked again: on a machine that is busy, the quickest of some tries counts.
    let quick
    for (let tries = 0; tries < 8 && !(quick?.drawn < 1500); tries++) {
      const page = watch(await context.newPage(), () => path)
      await page.goto(base + '/app' + path)
      await page.waitForSelector(path === '/' ? '.feed li' : 'tr[data-id]')
      const seen = await page.evaluate(async () => {
        const drawn = await new Promise((done) => new PerformanceObserver((list) => list.getEntries().forEach((e) => e.name === 'first-contentful-paint' && done(e.startTime))).observe({ type: 'paint', buffered: true }))
        // Customers are asked for by the rows, which may be there before they are painted.
        const asked = performance.getEntriesByType('resource').filter((r) => /\/v1\/(?!stream|session|customers)/.test(r.name) && r.startTime < drawn + 1500)
        return { drawn, all: asked.map((r) => r.name.slice(location.origin.length)), before: asked.filter((r) => r.startTime < drawn).length }
      })
      await page.close()
      equal(seen.before, needs[path], `${path}: requests before the first frame, of ${seen.all}`)
      if (!quick || seen.drawn < quick.drawn) quick = seen
    }
    const twice = quick.all.filter((url, i) => quick.all.indexOf(url) !== i)
    if (quick.drawn < 1500 && twice.length) throw new Error(`${path}: asked twice: ${twice}`)
  }
  await context.close()
}

async function metadata() {
  const context = await desk()
  const made = await api('POST', '/v1/charges', { amount: 1500, currency: 'brl', provider: 'card', card: { token: 'tok_ok' }, metadata: { order: '7', gone: 'x' } })
  await becomes('succeeded', 'the payment', () => statusOf('charges', made.id)) // its version stays from here on
  const page = await open(context, '/payments/' + made.id)
  const card = page.locator('.card:has(> header h2:text-is("Metadata"))')
  await card.locator('button:has-text("Edit")').click()
  await card.getByLabel('Value').nth(1).fill('8 "eight"')
  await card.getByLabel('Remove gone').click()
  await card.getByLabel('Key').last().fill('order')
  await card.locator('.field-error').waitFor()
  await card.getByLabel('Key').last().fill('channel')
  await card.getByLabel('Value').last().fill('app')
  await page.keyboard.press('Enter')
  await card.locator('dt >> text=channel').waitFor()
  const now = await api('GET', '/v1/charges/' + made.id)
  equal(JSON.stringify(Object.entries(now.metadata).sort()), JSON.stringify([['channel', 'app'], ['order', '8 "eight"']]), 'metadata')
  // What somebody else has changed meanwhile is not overwritten.
  await card.locator('button:has-text("Edit")').click()
  await api('PUT', '/v1/charges/' + made.id, { metadata: { order: '9' } })
  await card.getByLabel('Value').first().fill('web')
  page.expectsErrors = true
  await page.keyboard.press('Enter')
  await card.locator('.failure code >> text=precondition_failed').waitFor()
  await card.locator('button:has-text("Show what it is now")').click()
  await page.waitForFunction(() => [...document.querySelectorAll('.pair input')].some((i) => i.value === '9'))
  await card.getByLabel('Value').first().fill('10')
  await page.keyboard.press('Enter')
  await card.locator('dd >> text=10').waitFor()
  equal(JSON.stringify((await api('GET', '/v1/charges/' + made.id)).metadata), '{"order":"10"}', 'metadata after the conflict')
  await context.close()
}

/** Several payments are given back at once, each with what is left of it. */
async function refunds() {
  const context = await desk()
  const made = []
  for (const amount of [1000, 2000, 3000]) made.push(await api('POST', '/v1/charges', { amount, currency: 'brl', provider: 'card', card: { token: 'tok_ok' }, customer: customer.id, metadata: { run: 'refunds' } }))
  await api('POST', '/v1/refunds', { charge: made[0].id, amount: 400 })
  await until('three payments, one refunded in part', () => api('GET', '/v1/charges?metadata[run]=refunds'), (list) => list.every((c) => c.status === 'succeeded') && list.some((c) => c.amount_refunded === 400))
  const page = await open(context, '/payments?metadata[run]=refunds')
  // The id stands there until the name has come.
  await becomes(customer.name, 'the customer, by name', () => page.locator('td[data-label="Customer"] a').first().innerText())
  await page.waitForSelector('.strip-chosen >> text=without the filters: Metadata')
  await page.click('thead input[type=checkbox]')
  await page.click('.bulk button:has-text("Refund")')
  await page.waitForSelector('dialog .effects >> text=3 objects: R$56.00')
  await page.click('dialog button[type=submit]')
  await page.waitForSelector('dialog >> text=3 of 3')
  await until('all three are refunded', () => api('GET', '/v1/charges?metadata[run]=refunds'), (list) => list.every((c) => c.status === 'refunded' && c.amount_refunded === c.amount))
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  await context.close()
}

/** Over a hundred held payouts, whose number has to be typed, are canceled from a list that shows 25. */
async function bulk() {
  const context = await desk()
  const held = () => ({ amount: 1_009_300, currency: 'brl', provider: 'bank', bank: { method: 'pix', key: 'maria@example.com' }, recipient: { name: 'Maria' }, metadata: { run: 'bulk' } })
  await api('POST', '/v1/test/fund', { currency: 'brl', amount: 120_000_000 })
  await api('POST', '/v1/payouts/bulk', { payouts: Array.from({ length: 104 }, held) })
  await payoutOf({ ...held(), amount: 10_100 }) // arrives, so it cannot be canceled
  // The rail takes them one after another; one that is under way could still be canceled.
  const statuses = async () => (await api('GET', '/v1/payouts/counts?metadata[run]=bulk')).statuses
  await until('104 held payouts and one that arrived', statuses, (now) => now.onhold === 104 && now.succeeded === 1)
  const page = await open(context, '/payouts?metadata[run]=bulk')
  await page.waitForFunction(() => document.querySelector('.tab')?.textContent.includes('105'))
  await page.click('thead input[type=checkbox]')
  await page.waitForSelector('.bulk >> text=25 selected')
  await page.click('button:has-text("Select all 105 matching")')
  await page.waitForSelector('.bulk >> text=105 selected')
  const [csv] = await Promise.all([page.waitForEvent('download'), page.click('.bulk button:has-text("Export selected")')])
  equal(readFileSync(await csv.path(), 'utf8').trim().split('\n').length, 106, 'lines of the export')
  await page.click('.bulk button:has-text("Cancel")')
  const go = page.locator('dialog button[type=submit]')
  await go.click() // looks at them
  await page.waitForSelector('dialog .effects >> text=104 objects: R$1,049,672.00')
  await page.waitForSelector('dialog .effects >> text=1 selected object does not allow it')
  equal(await go.isDisabled(), true, 'before the number is typed')
  await page.locator('dialog input').fill('105')
  equal(await go.isDisabled(), true, 'with another number')
  await page.locator('dialog input').fill('104')
  await go.click()
  await page.waitForSelector('dialog >> text=104 of 104')
  await page.click('dialog footer button:has-text("Close")')
  await page.waitForFunction(() => [...document.querySelectorAll('tbody .status')].filter((s) => s.classList.contains('s-canceled')).length >= 24)
  equal((await statuses()).canceled, 104, 'canceled')
  await context.close()
}

async function strip() {
  const context = await desk()
  const page = await open(context, '/payments')
  await page.waitForSelector('.strip svg')
  await page.waitForSelector('.tab .count') // nothing above it grows any more
  const bars = page.locator('.strip svg')
  const { width } = await bars.boundingBox()
  // The last two days, by hand.
  await bars.hover({ position: { x: width - width / 20, y: 20 } })
  await page.mouse.down()
  await bars.hover({ position: { x: width - 2, y: 20 } })
  await page.mouse.up()
  await page.waitForURL(/created\[gte\]=\d+/)
  await page.waitForSelector('.filter.on >> text=Created')
  const total = (await api('GET', '/v1/charges/counts')).all // no check beside this one makes any
  await page.waitForSelector(`.strip-chosen >> text=: ${total}`)
  // And the first day too, by key: then it is no filter any more.
  await page.getByRole('slider', { name: 'First day' }).focus()
  await page.keyboard.press('Home')
  await page.waitForFunction(() => !location.search.includes('created'))
  // Without today nothing is left; without yesterday, where midnight goes by meanwhile.
  await page.getByRole('slider', { name: 'Last day' }).focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.waitForURL(/created\[lt\]=\d+/)
  await page.waitForSelector('.empty')
  await becomes(30, 'rows for screen readers', () => page.locator('.strip table tbody tr').count())
  await context.close()
}

async function receipt() {
  const context = await desk()
  const page = await open(context, '/payouts/' + held.id)
  await page.click('a:has-text("Receipt")')
  await page.waitForSelector('.receipt h1')
  equal(await page.locator('.receipt .big').innerText(), 'R$10,093.00', 'the amount')
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  for (const chrome of ['.topbar', '.rail', '.test-bar', '.receipt-bar']) equal(await page.locator(chrome).isVisible(), false, chrome + ' on paper')
  equal(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), 'rgb(255, 255, 255)', 'the paper')
  equal((await page.pdf()).subarray(0, 5).toString(), '%PDF-', 'a PDF')
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  await context.close()
}

async function payouts() {
  const context = await desk()
  const [good, bad] = [await payout(1_009_600), await payout(1_019_600)]
  const page = await open(context, '/payouts/' + good.id)
  await page.waitForSelector('.headline .s-pending')
  await page.waitForSelector('.timeline .t-attempt') // the rail has it
  await api('POST', `/v1/test/payouts/${good.id}/succeeded`, {})
  await page.waitForSelector('.headline .s-succeeded')
  await page.waitForSelector('.timeline >> text=Succeeded')
  await page.waitForSelector('.postings')
  const other = await open(context, '/payouts/' + bad.id)
  await other.waitForSelector('.headline .s-pending')
  await other.waitForSelector('.timeline .t-attempt')
  await api('POST', `/v1/test/payouts/${bad.id}/succeeded`, {})
  await other.waitForSelector('.headline .s-succeeded')
  await api('POST', `/v1/test/payouts/${bad.id}/returned`, {})
  await other.waitForSelector('.headline .s-returned')
  // What came back is put into the balance by a person.
  await other.click('button:has-text("Credit back")')
  await other.waitForSelector('dialog .effects >> text=R$10,196.00')
  await other.click('dialog button[type=submit]')
  await other.waitForSelector('.headline .s-refunded')
  await context.close()
}

async function webhook() {
  const context = await desk()
  const page = await open(context, '/developers/webhooks/' + endpoint.id)
  const row = page.locator('tr[data-id]').first()
  await row.locator('.s-retrying').waitFor()
  await row.locator('a[data-row]').click()
  await page.waitForSelector('.side pre >> text=<script>window.__markup = 1</script>')
  equal(await page.evaluate(() => window.__markup), undefined, 'an answer ran as markup')
  // The list says how the day went: attempts, those that failed, when the next is made.
  await page.goto(base + '/app/developers/webhooks')
  await page.waitForSelector('svg[aria-label*="attempts"]')
  const said = (await page.locator('tbody .spark').getAttribute('aria-label')).match(/(\d+) attempts, (\d+) failed/)
  equal(said[1] === said[2] && Number(said[1]) > 0, true, `failed of the attempts: ${said[0]}`)
  await page.waitForSelector('tbody td[data-label="Next attempt"] time')
  // A listener is connected while its stream is open.
  const listener = await api('POST', '/v1/webhook_endpoints', { events: ['charge.*'], description: 'giro listen' })
  const stream = await fetch(`${base}/v1/stream?listener=${listener.id}&name=ana-laptop`, { headers: { Authorization: 'Bearer ' + secret } })
  await page.locator(`tr[data-id="${listener.id}"] .s-connected:has-text("ana-laptop")`).waitFor()
  await stream.body.cancel() // an answer that nobody holds would be closed by the garbage collection before
  await page.locator(`tr[data-id="${listener.id}"] .s-enabled`).waitFor()
  await api('DELETE', '/v1/webhook_endpoints/' + listener.id)
  await page.goto(base + '/app/developers')
  await page.waitForFunction(() => [...document.querySelectorAll('.kpi')].some((k) => /^Webhook success0%of \d+ attempts$/.test(k.textContent)))
  await page.waitForFunction(() => [...document.querySelectorAll('.kpi')].some((k) => /^p95[\d.]+\sm?s/.test(k.textContent)))
  await page.goto(base + '/app/developers/webhooks/' + endpoint.id)
  await row.locator('.s-retrying').waitFor()
  await row.locator('td[data-label="Attempts"] >> text=/^\\d+ of 10$/').waitFor()
  // Whether a signature fits is found out here; nothing is asked for it.
  await row.locator('a[data-row]').click()
  await page.click('.side button:has-text("Check a signature")')
  const dialog = page.locator('dialog[open]')
  const verdict = async (text) => {
    await dialog.locator('button[type=submit]').click()
    await dialog.locator(`[role=status] >> text=${text}`).waitFor()
  }
  await dialog.getByLabel('Secret of the endpoint').fill(endpoint.secret)
  await verdict('The signature is right')
  const body = await dialog.getByLabel('Body').inputValue()
  await dialog.getByLabel('Body').fill(body + ' ')
  await verdict('does not fit')
  await dialog.getByLabel('Body').fill(body)
  const headers = await dialog.getByLabel('Headers').inputValue()
  await dialog.getByLabel('Headers').fill(headers.replace(/^webhook-id:.*$/im, ''))
  await verdict('no header webhook-id')
  await dialog.getByLabel('Headers').fill(headers)
  await dialog.getByLabel('Secret of the endpoint').fill('whsec_?')
  await verdict('no secret')
  await dialog.getByLabel('Secret of the endpoint').fill('whsec_' + btoa('another secret of theirs'))
  await verdict('does not fit')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  // An answer that is no text is said to be none.
  receives = 501
  await row.locator('button:has-text("Resend")').click()
  await page.waitForSelector('.side >> text=This answer is not text')
  equal((await page.locator('.side details[open] pre').last().innerText()).trim(), '·PNG\r\n·\n··', 'the answer')
  receives = 204
  await row.locator('button:has-text("Resend")').click()
  await row.locator('.s-delivered').waitFor()
  // A payment's story tells of its deliveries with their events.
  const told = await context.newPage()
  await told.goto(base + '/app/payments/' + payment.id)
  await told.waitForSelector('.timeline .t-event .sent')
  equal(await told.locator('.timeline .t-delivery').count(), 0, 'deliveries that stand alone')
  await told.close()
  // The list of endpoints sends a test event too.
  await page.goto(base + '/app/developers/webhooks')
  await page.locator('tbody tr').first().locator('button').click()
  await page.click('[role=menuitem]:has-text("Send test event")')
  await dialog.locator('.s-delivered').waitFor()
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'detached' })
  await page.locator('tbody tr').first().locator('button').click()
  await page.click('[role=menuitem]:has-text("Recover")')
  await dialog.locator('button[type=submit]').click()
  await page.waitForSelector('.toast')
  await context.close()
}

async function past() {
  const context = await desk()
  const page = await open(context, '/balances')
  await page.waitForSelector('.balance .big')
  const now = await page.locator('.balance .big').first().innerText()
  equal(now === 'R$0.00', false, 'something happened')
  await page.fill('input[type=datetime-local]', '2020-01-01T00:00:00')
  await becomes('R$0.00', 'the balance before anything happened', () => page.locator('.balance .big').first().innerText())
  // Typed by the reader's clock, kept in UTC: a link shows the same moment to everybody.
  equal(new URL(page.url()).searchParams.get('at'), '2020-01-01T03:00:00Z', 'the moment in the URL')
  await page.waitForSelector('label:has-text("GMT−3")')
  await page.goto(base + '/app/ledger/accounts')
  await page.click('.tree a >> text=Clearing: sandbox (BRL)')
  await page.waitForSelector('.chart .line')
  const rows = () => page.locator('tr[data-id]').count()
  await until('a statement', rows)
  // A click on the line is a moment: the balance and the statement are those of then.
  await page.locator('.chart svg').click({ position: { x: 120, y: 40 } })
  await page.waitForURL(/at=\d{4}-/)
  await page.fill('input[type=datetime-local]', '2020-01-01T00:00:00')
  await becomes(0, 'lines of a statement before anything happened', rows)
  await page.click('button:has-text("Now")')
  await until('a statement of now', rows)
  await context.close()
}

async function viewer() {
  const context = await desk()
  const page = await open(context, '/settings/team')
  await page.click('button:has-text("Invite")')
  await page.fill('dialog input[type=email]', 'bia@example.com')
  await page.selectOption('dialog select', 'viewer')
  await page.click('dialog button[type=submit]')
  const link = await page.locator('dialog pre').innerText()
  const other = await browser.newContext({ locale: 'en-US' })
  const join = await other.newPage()
  await join.goto(link)
  await join.fill('input[name=name]', 'Bia Lima')
  await join.fill('input[name=password]', 'another long sentence')
  await join.click('button[type=submit]')
  await join.waitForURL(base + '/app/**')
  const bia = await open(other, '/payments/' + payment.id)
  await bia.waitForSelector('.timeline li')
  equal(await bia.locator('button:has-text("Refund")').count(), 0, 'buttons to refund')
  equal(await bia.locator('button:has-text("Create")').count(), 0, 'buttons to create')
  // A page that would only be refused says so, and asks for nothing.
  for (const [path, permission] of [['/developers/sandbox', 'sandbox.write'], ['/developers/webhooks/' + endpoint.id, 'developers.read'], ['/settings/providers', 'settings.write']]) {
    await bia.goto(base + '/app' + path)
    await bia.waitForSelector('.barred >> text=' + permission)
  }
  bia.expectsErrors = true
  const status = await bia.evaluate(async (charge) => (await fetch('/v1/refunds', { method: 'POST', headers: { 'Content-Type': 'application/json', 'Giro-Mode': 'test' }, body: JSON.stringify({ charge }) })).status, payment.id)
  equal(status, 403, 'POST /v1/refunds of a viewer')
  await other.close()
  await context.close()
}

async function filters() {
  const context = await desk()
  const page = await open(context, '/payments')
  await page.click('.tab >> text=Failed')
  await page.waitForFunction(() => [...document.querySelectorAll('tbody .status')].length > 0 && [...document.querySelectorAll('tbody .status')].every((s) => s.classList.contains('s-failed')))
  await page.click('button.filter:has-text("Currency")')
  await page.fill('.popover:popover-open input', 'BRL')
  await page.keyboard.press('Enter')
  await page.waitForURL('**currency=brl**')
  const rows = (p) => p.locator('.list > .table-wrap:not(.stale) tr[data-id]').evaluateAll((list) => list.map((r) => r.dataset.id).join())
  const want = (await api('GET', '/v1/charges?status=failed&currency=brl&limit=25')).map((c) => c.id).join()
  equal(want.length > 0, true, 'failed charges in BRL')
  await becomes(want, 'rows', () => rows(page))
  // The line for a terminal asks for the same.
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.click('.topbar button[aria-label="Request"]')
  await page.click('[role=menuitem]:has-text("Copy as giro command")')
  await becomes("giro api get '/v1/charges?status=failed&currency=brl&limit=25'", 'the command', () => page.evaluate(() => navigator.clipboard.readText()))
  await page.reload()
  await becomes(want, 'rows after a reload', () => rows(page))
  const url = page.url()
  const left = await page.locator('a[data-row]').first().getAttribute('href')
  await page.locator('a[data-row]').first().click()
  await page.waitForSelector('.timeline li')
  await page.goBack()
  await becomes(want, 'rows after going back', () => rows(page))
  equal(page.url(), url, 'the URL after going back')
  await becomes(left, 'the row that has the focus after going back', () => page.evaluate(() => document.activeElement.getAttribute('href')))
  const elsewhere = await desk()
  const copied = watch(await elsewhere.newPage(), () => 'a copied link')
  await copied.goto(url)
  await becomes(want, 'rows in another browser', () => rows(copied))
  equal(await copied.locator('.filter.on b').first().innerText(), 'BRL', 'the filter there')
  await copied.getByRole('button', { name: 'Remove filter Currency' }).click()
  await copied.waitForURL((to) => !to.search.includes('currency') && to.search.includes('status=failed'))
  // Pages: forward by key, back by key, the same rows.
  await page.goto(base + '/app/payments')
  const one = await until('rows', () => rows(page))
  await page.keyboard.press(']')
  await page.waitForURL('**cursor=**')
  await until('rows of the next page', () => rows(page), (now) => now && now !== one)
  await page.keyboard.press('[')
  await becomes(one, 'rows of the first page', () => rows(page))
  await elsewhere.close()
  await context.close()
}

async function tabs() {
  const context = await desk()
  let streams = 0
  context.on('request', (r) => r.url().includes('/v1/stream') && streams++)
  const pages = []
  for (let n = 0; n < 8; n++) pages.push(await open(context, n % 2 ? '/payments' : '/payments?status=succeeded'))
  for (const p of pages) await p.waitForSelector('tr[data-id]')
  // Wait until the leader reads the stream: Home says so.
  const home = await open(context, '/')
  await home.waitForSelector('.live-live')
  const made = await api('POST', '/v1/charges', { amount: 4321, currency: 'brl', provider: 'card', card: { token: 'tok_ok' } })
  for (const p of pages) await p.waitForSelector('.fresh .pill')
  equal(streams, 1, 'streams of nine tabs')
  equal(await pages[1].locator(`tr[data-id=${made.id}]`).count(), 0, 'rows that appeared by themselves')
  await pages[1].click('.fresh .pill')
  await pages[1].waitForSelector(`tr[data-id=${made.id}]`)
  // The tab that reads the stream goes; another one goes on.
  await pages[0].close()
  const next = await api('POST', '/v1/charges', { amount: 4322, currency: 'brl', provider: 'card', card: { token: 'tok_ok' } })
  await pages[7].waitForFunction(() => /2/.test(document.querySelector('.fresh .pill')?.textContent ?? ''))
  await home.waitForSelector(`.feed a[href*="${next.id}"]`)
  await context.close()
}

async function paused() {
  const context = await desk()
  await context.route('**/v1/stream*', (r) => r.abort())
  const page = watch(await context.newPage(), () => 'without a stream')
  page.expectsErrors = true
  await page.goto(base + '/app/payouts')
  await page.waitForSelector('.paused')
  await page.waitForSelector('tr[data-id]')
  // An error names its code and its request.
  await page.goto(base + '/app/payments/ch_01h455vb4pex5vsknk084sn02q')
  await page.waitForSelector('.failure code >> text=not_found')
  await page.goto(base + '/app/payouts?status=canceled&range=7d')
  await page.waitForSelector('.empty >> text=status=canceled, last 7 days')
  await page.click('.empty button:has-text("90")')
  await page.waitForURL('**range=90d**')
  // A session that ends while a dialog is filled takes nothing away.
  await page.goto(base + '/app/payouts?mode=test&create=payouts')
  await page.locator('dialog').getByLabel('Amount', { exact: true }).fill('12.34')
  await page.locator('dialog').getByLabel('PIX key', { exact: true }).fill('caio@example.com')
  await context.clearCookies({ name: /session/ })
  await page.click('dialog button[type=submit]')
  await page.waitForSelector('dialog .failure a[target=_blank][href^="/app/login?next="]')
  equal(await page.locator('dialog').getByLabel('Amount', { exact: true }).inputValue(), '12.34', 'what was typed')
  await context.close()
}

async function makes() {
  const context = await desk()
  const page = await open(context, '/customers?create=customers')
  const field = (name) => page.locator('dialog').getByLabel(name, { exact: true })
  await field('Name').fill('Caio Reis')
  await field('E-mail').fill('caio@example.com')
  await page.keyboard.press('Enter')
  await page.waitForSelector('h1 >> text=Caio Reis')
  await page.click('.topbar button:has-text("Create")')
  await page.click('[role=menuitem]:has-text("Create payout")')
  await field('Amount').fill('12.34')
  await field('Currency').fill('BRL')
  await field('PIX key').fill('caio@example.com')
  await page.waitForSelector('dialog .effects >> text=R$12.34')
  await page.click('dialog button[type=submit]')
  await page.waitForURL('**/app/payouts/po_**')
  await page.waitForSelector('.headline .s-succeeded')
  // A refused request says why and keeps what was typed.
  await page.goto(base + '/app/payouts?mode=test&create=payouts')
  await field('Amount').fill('12.34')
  await field('Currency').fill('BRL')
  await field('PIX key').fill('not a key')
  page.expectsErrors = true
  await page.click('dialog button[type=submit]')
  await page.waitForSelector('dialog .failure code')
  equal(await field('PIX key').inputValue(), 'not a key', 'what was typed')
  await page.keyboard.press('Escape')
  await page.waitForSelector('dialog[open]', { state: 'detached' })
  page.expectsErrors = false
  // Two rows as CSV, with what a spreadsheet would run made harmless.
  await page.goto(base + '/app/payments?mode=test')
  await page.waitForSelector('tr[data-id]')
  await page.keyboard.press('j')
  await page.keyboard.press('x')
  await page.keyboard.press('j')
  await page.keyboard.press('X')
  await page.waitForSelector('.bulk >> text=2 selected')
  const [file] = await Promise.all([page.waitForEvent('download'), page.click('.bulk button:has-text("Export selected")')])
  equal(readFileSync(await file.path(), 'utf8').trim().split('\n').length, 3, 'lines of the export')
  // A view of the team: saved here, there for everybody.
  await page.goto(base + '/app/payments?mode=test&status=failed')
  await page.waitForSelector('tr[data-id]')
  await page.keyboard.press('s')
  await page.fill('dialog input:not([type=checkbox])', 'Broken ' + evil.slice(0, 40))
  await page.click('dialog button[type=submit]')
  await page.waitForSelector('.view.on')
  await page.click('.tab >> text=All')
  await page.waitForSelector('.view:not(.on)')
  await page.click('.view a')
  await page.waitForURL('**status=failed**')
  // What was done is in the audit log, with what it changed.
  await page.goto(base + '/app/settings/audit?mode=test')
  await page.click('tr[data-id]:has-text("createView") button:has-text("Changes")')
  await page.waitForSelector('dialog.drawer pre >> text=Broken')
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  await context.close()
}

async function live() {
  const context = await desk()
  const page = await open(context, '/payments')
  await page.waitForSelector('tr[data-id]')
  await page.waitForSelector('.chip.test')
  await page.keyboard.press('m')
  await page.keyboard.press('l')
  await page.waitForSelector('dialog[open]')
  await page.keyboard.press('Enter')
  await page.waitForURL('**mode=live**')
  equal(new URL(page.url()).pathname, '/app/payments', 'the page stays')
  await page.waitForSelector('.chip.test', { state: 'detached' })
  await page.waitForSelector('.empty pre >> text=curl -X POST')
  await page.keyboard.press('Control+k')
  await page.fill('.palette input', payment.id)
  await page.waitForSelector('[role=option]')
  const closed = async () => {
    await page.keyboard.press('Escape')
    await page.waitForSelector('dialog[open]', { state: 'detached' })
  }
  await closed()
  await page.keyboard.press('m')
  await page.keyboard.press('t')
  await page.waitForURL('**mode=test**')
  await page.waitForSelector('.chip.test') // keys belong to the frame that is there
  await page.keyboard.press('/')
  await page.fill('.palette input', payment.id)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/payments/' + payment.id + '**')
  // By a word of a customer's name, whatever else stands in it.
  await page.keyboard.press('/')
  await page.fill('.palette input', 'evil@exam')
  await page.waitForSelector('[role=option] >> text=evil@example.com')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/customers/' + customer.id + '**')
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  await page.keyboard.press('g')
  await page.keyboard.press('o')
  await page.waitForURL('**/app/payouts?**')
  await page.waitForSelector('h1 >> text=Payouts')
  await page.keyboard.press('?')
  await page.waitForSelector('dialog >> text=Keyboard shortcuts')
  await closed()
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.keyboard.press('c')
  const curl = await page.waitForFunction(async () => (await navigator.clipboard.readText().catch(() => '')) || undefined)
  if (!(await curl.jsonValue()).includes(base + '/v1/payouts?limit=25')) throw new Error('copied ' + (await curl.jsonValue()))
  await context.close()
}

async function leads() {
  const context = await desk()
  // What can be clicked is not there before what stands above it, which would push it away from under a click.
  await context.addInitScript(() => {
    window.__early = []
    const look = (below, above) => document.querySelector(below) && !document.querySelector(above) && window.__early.push(below)
    new MutationObserver(() => {
      if (location.pathname === '/app/') look('.ranking', '.tight .chart')
      if (location.pathname === '/app/developers') look('.card.whole', '.kpis.six')
      if (location.pathname === '/app/settings/providers') look('.card + .card', '.choices-table')
      if (location.pathname === '/app/balances') look('.proof', '.balance')
    }).observe(document, { childList: true, subtree: true })
  })
  const moved = async (shown) => {
    await page.waitForSelector(shown)
    equal((await page.evaluate(() => window.__early)).join(), '', 'there before what stands above it')
  }
  await api('POST', '/v1/charges', { amount: 4300, currency: 'usd', provider: 'card', card: { token: 'tok_fraud' }, reference: 'leads-1' })
  let page = await open(context, '/?currency=usd')
  await moved('.ranking')
  // A reason leads to what failed for it, and to nothing else.
  await page.click('.ranking a >> text=fraud')
  await page.waitForURL('**failure_code=fraud**')
  await page.waitForSelector('tr[data-id] >> text=leads-1')
  for (const text of await page.locator('tr[data-id]').allInnerTexts()) if (!text.includes('fraud')) throw new Error('among the frauds: ' + text)
  // A bar leads to what it counts; the same numbers stand in a table, whose rows lead there too.
  page = await open(context, '/?currency=usd')
  await page.locator('.card:has(h2:has-text("Volume per")) .bar').last().click()
  await page.waitForURL(/payments\?.*created/)
  await page.goBack()
  const card = page.locator('.card:has(h2:has-text("Success rate"))')
  await card.getByRole('button', { name: 'Table' }).click()
  await card.locator('tbody a').last().waitFor()
  await page.close()
  // Requests by the class of their answer, in the log.
  await fetch(base + '/v1/charges/ch_0', { headers: { Authorization: 'Bearer ' + secret } })
  page = await open(context, '/developers')
  await moved('.card.whole')
  await page.locator('.card:has(h2:text-is("Requests")) .bar.c-warn').last().click()
  await page.waitForURL(/logs\?.*status=4xx/)
  await page.waitForSelector('tr[data-id] >> text=404')
  for (const text of await page.locator('tr[data-id]').allInnerTexts()) if (!/\b4\d\d\b/.test(text)) throw new Error('among the refused: ' + text)
  for (const [at, shown] of [['/settings/providers', '.card + .card'], ['/balances', '.proof']]) {
    await page.goto(base + '/app' + at)
    await moved(shown)
  }
  // A tail that is switched on shows what comes without being asked again.
  await page.goto(base + '/app/developers/logs')
  await page.waitForSelector('tr[data-id]')
  await page.getByRole('button', { name: 'Live tail' }).click()
  await fetch(base + '/v1/charges/ch_tailed', { headers: { Authorization: 'Bearer ' + secret } })
  await page.waitForSelector('tr[data-id]:has-text("ch_tailed")')
  // A key says when it was used, and from where.
  await page.goto(base + '/app/developers/keys')
  await page.waitForSelector('tr[data-id] >> text=127.0.0.1')
  await context.close()
}

async function faults() {
  const context = await desk()
  const page = await open(context, '/developers/sandbox')
  await page.getByLabel('Payments', { exact: true }).selectOption('onhold')
  const charge = () => api('POST', '/v1/charges', { amount: 100, currency: 'usd', provider: 'card', card: { token: 'tok_ok' } })
  await becomes('onhold', 'a payment under a fault', async () => (await charge()).status)
  await page.getByLabel('Payments', { exact: true }).selectOption('')
  await becomes('succeeded', 'a payment without', async () => (await charge()).status)
  // The chain: the link before this one, and the one after it.
  await page.goto(base + '/app/ledger/transactions')
  await page.locator('tr[data-id] a[data-row]').nth(1).click()
  await becomes(3, 'links', () => page.locator('.chain li').count())
  const here = page.url()
  await page.locator('.chain li a').first().click()
  await page.waitForURL((url) => String(url) !== here)
  // The palette does what the page can do.
  await page.goto(base + '/app/payments/' + payment.id)
  await page.waitForSelector('.timeline li')
  await page.keyboard.press('Control+k')
  await page.fill('.palette input', 'description')
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open] >> text=Edit description')
  await page.keyboard.press('Escape')
  // Accounts by their class, each side as it is read.
  await page.goto(base + '/app/ledger/accounts')
  await page.waitForSelector('.branch summary:has-text("Assets")')
  if ((await page.locator('.branch:has(summary:has-text("Assets")) .money').allInnerTexts()).some((text) => text.includes('-'))) throw new Error('an asset below zero')
  // What a customer has paid.
  await page.goto(base + '/app/customers')
  await becomes(true, 'volumes', async () => (await page.locator('tr[data-id] .money').count()) > 0)
  await context.close()
}

// Each changes what others count on the receiver or the newest payment, so the
// refund comes first; the rest meet nobody.
await check('a payment is refunded by half with the keyboard alone, and its timeline grows', halfRefund)
await Promise.all([
  check('a payout goes from pending to success, another comes back and is credited', payouts),
  check('a failed delivery is looked at and sent again', webhook),
  check('balances and accounts at a past moment', past),
])
await Promise.all([
  check('a viewer sees no button to refund and gets 403', viewer),
  check('filters survive a reload, going back and a copied link', filters),
  check('a detail leads to its neighbours in the list and back to it', neighbours),
  check('days are chosen above the list, by hand and by key', strip),
  check('a receipt is printed without what is around it', receipt),
  check('without a stream the page says so; errors and empty lists help on', paused),
])
await check('nine tabs share one stream, and none loses it', tabs)
await Promise.all([check('test and live are apart; keys, search and cURL', live), check('customers, payouts, exports and views are made; people are written down', makes), check('metadata is changed where it stands, and nobody else\'s change is lost', metadata)])
await check('payments are given back from the list, and it names their customers', refunds)
await check('a page asks early, and nothing twice', early)
await check('figures, charts and logs lead to what they count', leads)
await check('faults, the chain, the palette, the tree of accounts and customers', faults)
// It writes more lines into the audit log than a page shows.
await check('all that match are exported and canceled, once their number is typed', bulk)

const looks = ({ language, width }) => `every page, light and dark, ${language}, ${width} px`
const combinations = []
// And in words that are two fifths longer than English ones.
for (const language of ['en', 'pt-BR', 'es-419', 'en-XA']) for (const width of [1280, 390]) combinations.push({ language, width })
if (!combinations.some((c) => wanted.test(looks(c)))) {
  await browser.close()
  process.exit(failed ? 1 : 0)
}

// Every page in both themes, three languages and two widths, and in longer words.
const event = (await api('GET', '/v1/events?limit=1'))[0]
const ledger = (await api('GET', '/v1/ledger/transactions?limit=1'))[0]
const refund = (await api('GET', '/v1/refunds'))[0]
const request = (await api('GET', '/v1/requests?method=POST&limit=1'))[0]
const transfer = (await api('GET', '/v1/transfers'))[0]
const pending = await api('GET', '/v1/charges?status=pending')
const pix = pending.find((c) => c.next_action?.qr_svg)
const auth = pending.find((c) => c.card)
const paths = [
  '/', '/payments', '/payments/' + payment.id, '/payments/' + payment.id + '/receipt', '/payments/' + pix.id, '/refunds', '/refunds/' + refund.id, '/payouts', '/payouts/' + held.id, '/transfers', '/transfers/' + transfer.id,
  '/customers', '/customers/' + customer.id, '/balances', '/ledger/accounts', '/ledger/accounts/' + sub.id, '/ledger/transactions', '/ledger/transactions/' + ledger.id,
  '/developers', '/developers/keys', '/developers/webhooks', '/developers/webhooks/' + endpoint.id, '/developers/events', '/developers/events/' + event.id, '/developers/logs', '/developers/logs/' + request.id, '/developers/sandbox',
  '/settings/team', '/settings/audit', '/settings/providers', '/settings/preferences',
]

/**
 * What is opened on a page, beside the pages themselves: what opens it, and what
 * is there then. Labels are in every language, so nothing is found by its words.
 */
const openings = [
  ['menu', '/payments/' + auth.id, (page) => page.click('.page-head [aria-haspopup=menu]'), '[role=menuitem].danger'],
  ['cancel', '/payments/' + auth.id, async (page) => {
    await page.click('.page-head [aria-haspopup=menu]')
    await page.click('[role=menuitem].danger')
  }, 'dialog[open] .effects'],
  ['refund', '/payments/' + payment.id, (page) => page.click('.page-head button.primary'), 'dialog[open] .effects'],
  ['metadata', '/payments/' + payment.id, (page) => page.click('.aside .card:last-child .card-head button'), '.pair input'],
  ['create', '/payouts', async (page) => {
    await page.click('.topbar button.primary')
    await page.click('[role=menuitem] >> nth=1')
  }, 'dialog[open] select'],
  ['palette', '/payments', async (page) => {
    await page.click('.search-button')
    await page.fill('.palette input', 'order')
  }, '.choices [role=option]'],
  ['filter', '/payments', (page) => page.click('[data-filter=created]'), ':popover-open input'],
  ['columns', '/payments', (page) => page.click('.tools [aria-haspopup]'), ':popover-open .checks'],
  ['selected', '/payments', (page) => page.check('tbody input[type=checkbox] >> nth=0'), '.bulk'],
  ['person', '/payments', (page) => page.click('.topbar .avatar'), ':popover-open'],
  ['key', '/developers/keys', (page) => page.click('.page-head button.primary'), 'dialog[open] input'],
  ['recover', '/developers/webhooks/' + endpoint.id, (page) => page.click('.card-head button >> nth=2'), 'dialog[open] input'],
  ['about', '/', (page) => page.click('.about >> nth=1'), ':popover-open'],
  ['nowhere', '/nowhere', () => undefined, '.barred h1'],
]

/** Text that is cut, and what sticks out: run in the page. */
function cut() {
  const found = []
  const among = (...what) => document.querySelectorAll(what.map((one) => `:is(main, dialog[open], :popover-open) ${one}`).join())
  if (document.documentElement.scrollWidth > innerWidth + 1) found.push(`the page is ${document.documentElement.scrollWidth} wide`)
  for (const el of [...among('button', 'a', 'h1', 'h2', 'th', 'dt', 'label'), ...document.querySelectorAll('.topbar button, .rail a, .kpi-value, .status')]) {
    const style = getComputedStyle(el)
    if (style.display === 'inline' || el.closest('.visually-hidden, .hidden, .scroll, .table-wrap, .clip') || el.matches('.clip, .merchant, .search-button, .filter') || !el.checkVisibility()) continue
    if (el.scrollWidth > el.clientWidth + 1) found.push(`cut: ${el.tagName} ${el.textContent.slice(0, 40)} (${el.scrollWidth} > ${el.clientWidth})`)
  }
  for (const el of [...document.querySelectorAll('.topbar > *'), ...among('button', '.button', 'input', 'select', 'svg', '.money', 'time')]) {
    if (!el.checkVisibility() || el.matches('[popover]') || el.closest('.scroll, .table-wrap, .tabs, .visually-hidden, .hidden, .code')) continue
    const r = el.getBoundingClientRect()
    if (r.right > innerWidth + 1) found.push(`outside: ${el.tagName} ${el.textContent.slice(0, 30) || el.className.baseVal || el.className} ends at ${Math.round(r.right)}`)
    const card = el.closest('.card')?.getBoundingClientRect()
    if (card && r.right > card.right + 1) found.push(`sticks out of its card: ${el.tagName} ${el.textContent.slice(0, 30)}`)
  }
  // What is chosen in a select is cut without a trace in its sizes.
  const pen = document.createElement('canvas').getContext('2d')
  for (const el of among('select')) {
    pen.font = getComputedStyle(el).font
    const text = el.selectedOptions[0]?.text ?? ''
    if (el.checkVisibility() && pen.measureText(text).width > el.clientWidth - 28) found.push(`cut: the select's ${text}`)
  }
  for (const el of document.querySelectorAll(':popover-open')) {
    const r = el.getBoundingClientRect()
    if (r.left < 7 || r.right > innerWidth - 7 || r.bottom > innerHeight) found.push(`at the edge: ${el.ariaLabel} from ${Math.round(r.left)} to ${Math.round(r.right)}`)
    if (!el.contains(document.activeElement) && el.querySelector('button, input')) found.push(`without the focus: ${el.ariaLabel}`)
  }
  const bar = [...document.querySelectorAll('.topbar > *, .page-head > *')].filter((el) => el.checkVisibility() && !el.matches('[popover]')).map((el) => [el, el.getBoundingClientRect()])
  for (const [a, ra] of bar) for (const [b, rb] of bar) if (a !== b && ra.width && rb.width && ra.left < rb.right - 1 && rb.left < ra.right - 1 && ra.top < rb.bottom - 1 && rb.top < ra.bottom - 1) found.push(`overlap: ${a.className} and ${b.className}`)
  return [...new Set(found)].slice(0, 5)
}

async function gallery({ language, width }) {
  // Each page is loaded once and looked at twice; which theme comes with it is the cookie's to say.
  const themes = width < 500 ? ['dark', 'light'] : ['light', 'dark']
  const context = await browser.newContext({ storageState: state, viewport: { width, height: width < 500 ? 844 : 860 }, colorScheme: themes[1], locale: { 'es-419': 'es-CO', 'en-XA': 'en-US' }[language] ?? language, timezoneId: 'America/Sao_Paulo', reducedMotion: 'reduce' })
  await context.addCookies([{ name: 'giro_language', value: language, url: base + '/app/' }, { name: 'giro_theme', value: themes[0], url: base + '/app/' }])
  let at = ''
  const page = watch(await context.newPage(), () => `${at} ${language} ${width}`)
  let under = 0
  const counts = (r) => r.url().includes('/v1/') && !r.url().includes('/v1/stream')
  page.on('request', (r) => counts(r) && under++)
  page.on('requestfinished', (r) => counts(r) && under--)
  page.on('requestfailed', (r) => counts(r) && under--)
  const settled = async () => {
    await page.waitForSelector('main h1')
    for (let quiet = 0; quiet < 2; ) {
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))))
      quiet = under === 0 && (await page.locator('.skeleton, .stale').count()) === 0 ? quiet + 1 : 0
    }
  }
  at = paths[0]
  await page.goto(base + '/app' + at)
  await settled()
  equal(await page.evaluate(() => document.documentElement.lang), language, 'language')
  equal(await page.evaluate(() => document.documentElement.dataset.theme), themes[0], 'theme')
  // Words do not change what axe looks for; one language is enough.
  if (language === 'en') await page.evaluate(axeSource)
  const problems = []
  const visit = async (path) => {
    await page.evaluate((to) => {
      history.pushState(null, '', '/app' + to + '?mode=test')
      dispatchEvent(new PopStateEvent('popstate'))
    }, path)
    await page.waitForFunction((to) => location.pathname === '/app' + to, path)
    await settled()
  }
  /** Looks at what is there in both themes; what is opened on a page, by axe in one: the other width has the other. */
  const look = async (name) => {
    const whole = paths.includes(name)
    for (const p of await page.evaluate(cut)) problems.push(`${name}: ${p}`)
    if ((await page.locator('.failure').count()) > 0) problems.push(`${name}: ${await page.locator('.failure').first().innerText()}`)
    for (const theme of themes) {
      if (language !== 'en' && !shots) break
      await page.evaluate((to) => (document.documentElement.dataset.theme = to), theme)
      if (shots) await page.screenshot({ path: `${shots}/${name.replace(pix.id, 'pending').replace(request.id, 'one').replace(/[a-z]+_[0-9a-z]{26}/, 'one').replaceAll('/', '-').replace(/^-/, '') || 'home'}.${theme}.${language}.${width}.png`, fullPage: whole })
      if (language !== 'en' || (!whole && theme !== themes[0])) continue
      const found = await page.evaluate(async () => {
        const r = await window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        return r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + (n.any[0]?.message ? ' (' + n.any[0].message + ')' : '')).join('; ')}`)
      })
      for (const f of found) problems.push(`${name}, ${theme}: axe: ${f}`)
    }
  }
  for (const path of paths) {
    at = path
    if (path !== paths[0]) await visit(path)
    await look(path)
  }
  for (const [name, path, act, shown] of openings) {
    at = `${path}, ${name}`
    await visit(path)
    await act(page)
    await page.waitForSelector(shown)
    await look(`${path} ${name}`)
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !document.querySelector('dialog[open], :popover-open'))
  }
  equal(await page.evaluate(() => window.__markup), undefined, 'text from outside ran as markup')
  await context.close()
  if (problems.length) throw new Error(`${problems.length} problems:\n${problems.join('\n')}`)
}

// Three at once: the machine has few cores.
const queue = process.env.SHORT ? [combinations[0], combinations.at(-1)] : [...combinations]
await Promise.all([0, 1, 2].map(async () => {
  for (let c = queue.shift(); c; c = queue.shift()) {
    const one = c
    await check(looks(one), () => gallery(one))
  }
}))
await check('no complaint in the console, no request off the origin', async () => {
  const list = [...new Set(complaints)]
  if (list.length) throw new Error(list.slice(0, 20).join('\n'))
})
await browser.close()
receiver.close()
receiver.closeAllConnections()
process.exit(failed ? 1 : 0)
