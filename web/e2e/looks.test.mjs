// Every page in light, dark and narrow: axe finds nothing serious, nothing
// leaves the origin, nothing scrolls sideways. SHOTS=folder keeps the pictures.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { close, doneCall, open, real, signedIn, stage } from './stage.mjs'

const s = stage()
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const shots = process.env.SHOTS
if (shots) mkdirSync(shots, { recursive: true })

const LOOKS = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark', reducedMotion: 'reduce' },
  narrow: { viewport: { width: 390, height: 844 }, colorScheme: 'light', reducedMotion: 'reduce', isMobile: true, hasTouch: true },
}

/** Pages, and what is opened on them before the look. */
const PAGES = {
  calls: ['/calls'],
  queue: ['/queue'],
  balance: ['/balance'],
  connections: ['/connections'],
  missing: ['/no-such-page'],
  ...(real
    ? {}
    : {
        'call-angry': ['/calls/call-negative'],
        'call-gone': ['/calls/call-gone'],
        'call-funds': ['/calls/call-funds'],
        'call-running': ['/calls/call-running'],
        'call-queued': ['/calls/call-queued'],
        'call-failed': ['/calls/call-failed'],
        'call-owner': ['/calls/call-owner'],
        'call-found': ['/calls/call-found'],
        wizard: ['/connections?add=1', (page) => page.getByRole('dialog').waitFor()],
        reconnect: ['/connections?reconnect=c2', (page) => page.getByRole('dialog').waitFor()],
        archive: ['/connections', async (page) => {
          await page.getByRole('button', { name: 'Звонки из архива' }).first().click()
          await page.getByText('Распознать всё').waitFor()
        }],
        settings: ['/connections', async (page) => {
          await page.getByRole('button', { name: 'Настроить' }).first().click()
          await page.getByRole('dialog').waitFor()
        }],
        history: ['/calls/call-done', async (page) => {
          await page.getByRole('button', { name: 'Действия со звонком' }).click()
          await page.getByRole('menuitem', { name: 'История' }).click()
          await page.getByRole('dialog').waitFor()
        }],
        palette: ['/calls', async (page) => {
          await page.getByText('ООО «Вектор»').waitFor()
          await page.keyboard.press('Control+k')
          await page.getByRole('option', { name: 'Баланс' }).waitFor()
        }],
        nothing: ['/calls?q=нет', (page) => page.getByText('Таких звонков нет').waitFor()],
      }),
}

for (const [look, options] of Object.entries(LOOKS)) {
  test(`${look}: the way in`, async () => {
    const page = await open(s, '/login', options)
    await page.getByRole('button', { name: 'Войти' }).waitFor()
    await inspect(page, look, 'login')
    if (!real) {
      await s.reset({ fresh: true })
      await page.goto(`${s.url}/setup`)
      await page.getByRole('button', { name: 'Создать и войти' }).waitFor()
      await inspect(page, look, 'setup')
      await s.reset()
    }
    await close(page)
  })

  test(`${look}: the viewer`, async () => {
    const page = await signedIn(s, '/calls', options)
    await page.goto(`${s.url}/calls/${await doneCall(page)}`)
    await page.locator('fly-call .turns li').first().waitFor()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown')
    await page.locator('fly-call [aria-current=true]').waitFor()
    await inspect(page, look, 'call')
    if (look === 'narrow') {
      await page.locator('fly-call').getByRole('button', { name: 'Итог', exact: true }).click()
      await inspect(page, look, 'call-insight')
    }
    await page.locator('fly-call').getByRole('button', { name: 'Изменить итог' }).click()
    await inspect(page, look, 'call-editing')
    await page.keyboard.press('Escape')
    await close(page)
  })

  test(`${look}: an appliance on its first day`, { skip: real }, async () => {
    await s.reset({ empty: true })
    const page = await signedIn(s, '/calls', options)
    for (const path of ['/calls', '/queue', '/balance', '/connections']) {
      await page.goto(s.url + path)
      await page.locator('h1').first().waitFor()
      await page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' })
      await inspect(page, look, `empty-${path.slice(1)}`)
    }
    await close(page)
    await s.reset()
  })

  test(`${look}: every page`, async () => {
    const page = await signedIn(s, '/calls', options)
    for (const [name, [path, prepare]] of Object.entries(PAGES)) {
      await page.goto(s.url + path)
      await page.locator('h1, main').first().waitFor()
      await prepare?.(page)
      await page.waitForLoadState('load')
      await page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' })
      await inspect(page, look, name)
    }
    await close(page)
  })
}

async function inspect(page, look, name) {
  await page.evaluate(() => document.fonts.ready)
  if (shots) await page.screenshot({ path: join(shots, `${name}-${look}.png`) })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  assert.ok(wide <= 0, `${name} (${look}) is ${wide} px too wide`)
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  const serious = violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.any[0]?.message ?? n.failureSummary}`))
  assert.deepEqual(serious, [], `${name} (${look})`)
}
