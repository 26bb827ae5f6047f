// Takes the pictures of docs/images from `giro demo`: node screenshots.mjs
// [path of giro]. make screenshots builds giro first.
import { spawn, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const giro = process.argv[2] ?? fileURLToPath(new URL('../giro', import.meta.url))
const images = fileURLToPath(new URL('../docs/images/', import.meta.url))
mkdirSync(images, { recursive: true })
const demo = spawn(giro, ['demo', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
process.on('exit', () => demo.kill('SIGTERM'))
let said = ''
const link = await new Promise((done, fail) => {
  demo.stdout.setEncoding('utf8')
  demo.stdout.on('data', (text) => {
    said += text
    const m = said.match(/http\S+\/app\/login\?token=\S+/)
    if (m) done(m[0])
  })
  demo.on('exit', () => fail(new Error('giro demo ended: ' + said)))
})
const base = new URL(link).origin
const executablePath = process.env.CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium || command -v chromium-browser || command -v google-chrome'], { encoding: 'utf8' }).trim()
const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
const first = await browser.newContext()
const form = await first.newPage()
await form.goto(link)
await form.fill('input[name=name]', 'Ana Souza')
await form.fill('input[name=email]', 'ana@example.com')
await form.fill('input[name=password]', 'a sentence that is long')
await form.click('button[type=submit]')
await form.waitForURL(base + '/app/**')
const storageState = await first.storageState()

/** Opens a page as the picture is to show it. */
async function open(path, { theme = 'light', language = 'en', width = 1280, height = 820 } = {}) {
  const context = await browser.newContext({ storageState, viewport: { width, height }, colorScheme: theme, locale: language, timezoneId: 'America/Sao_Paulo', reducedMotion: 'reduce', deviceScaleFactor: width < 500 ? 2 : 1 })
  await context.addCookies([{ name: 'giro_language', value: language, url: base + '/app/' }])
  const page = await context.newPage()
  await page.goto(base + '/app' + path)
  await page.waitForSelector('main h1')
  await page.waitForLoadState('domcontentloaded')
  return page
}
async function picture(page, name) {
  await page.waitForFunction(() => !document.querySelector('.skeleton, .stale'))
  await page.evaluate(() => document.fonts.ready)
  await page.screenshot({ path: images + name + '.png' })
  console.log('docs/images/' + name + '.png')
  await page.context().close()
}

let page = await open('/?currency=brl')
await page.waitForSelector('.chart .bar')
await page.waitForSelector('.live-live')
await picture(page, 'home')

page = await open('/payments?status=failed', { theme: 'dark' })
await page.waitForSelector('tr[data-id]')
await picture(page, 'payments')

page = await open('/refunds')
await page.waitForSelector('tbody a[href*="/payments/ch_"]')
const charge = await page.locator('tbody a[href*="/payments/ch_"]').first().getAttribute('href')
await page.goto(base + charge)
await page.waitForSelector('.timeline li')
await page.waitForSelector('.postings')
await picture(page, 'payment')

page = await open('/ledger/accounts')
await page.click('.tree a >> nth=0')
await page.waitForSelector('.chart .line')
await page.waitForSelector('tr[data-id]')
await picture(page, 'ledger')

page = await open('/?currency=brl', { theme: 'dark', language: 'pt-BR', width: 390, height: 844 })
await page.waitForSelector('.kpi-value')
await page.waitForSelector('.chart .bar')
await picture(page, 'phone')

await browser.close()
process.exit(0)
