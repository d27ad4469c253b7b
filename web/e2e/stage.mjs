// What every test needs: an appliance (the one at FLYSENSE_URL, or the mock), a
// browser, and a signed-in page that remembers what went wrong on it.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { startMock } from './mock/server.mjs'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required']
const PATIENCE_MS = 30_000 // a shared machine may be slow; nothing here measures time

/** True when the tests run against a real server: what only the mock can do is skipped. */
export const real = Boolean(process.env.FLYSENSE_URL)
export const mockOnly = { skip: real && 'only the mock can be brought into this state' }
export const account = { login: process.env.FLYSENSE_LOGIN ?? 'admin', password: process.env.FLYSENSE_PASSWORD ?? 'demo-demo-demo' }

/** Starts the appliance and the browser around a file's tests. */
export function stage() {
  const s = { url: '', browser: null, reset, set, mock: null }
  before(async () => {
    if (real) s.url = process.env.FLYSENSE_URL.replace(/\/+$/, '')
    else {
      s.mock = await startMock()
      s.url = s.mock.url
    }
    assert.ok(existsSync(CHROMIUM), `no Chromium at ${CHROMIUM}: apt-get install chromium, or set CHROMIUM`)
    s.browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS })
  })
  after(async () => {
    await s.browser?.close()
    await s.mock?.close()
  })

  /** Gives the mock a fresh memory. */
  async function reset(options = {}) {
    if (!real) await post('/mock/reset', options)
  }
  /** Changes the mock's memory and announces it. */
  async function set(change) {
    await post('/mock/set', change)
  }
  async function post(path, body) {
    const response = await fetch(s.url + path, { method: 'POST', body: JSON.stringify(body) })
    assert.equal(response.status, 200)
  }
  return s
}

/** A page in its own browser profile; page.faults holds errors and foreign requests. */
export async function open(s, path, options = {}) {
  const context = await s.browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'ru-RU', ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  page.faults = []
  page.on('pageerror', (error) => page.faults.push(`error: ${error.message}`))
  page.on('console', (m) => {
    // The browser itself reports refused requests; those are answers, not faults.
    if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) page.faults.push(`console: ${m.text()}`)
    if (m.type() === 'warning' && m.text().includes('[Vue')) page.faults.push(`vue: ${m.text()}`)
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(s.url + '/') && !/^(data|blob):/.test(url)) page.faults.push(`left the origin: ${url}`)
  })
  await page.goto(s.url + path)
  return page
}

/** A page opened by a signed-in admin. */
export async function signedIn(s, path, options = {}) {
  const page = await open(s, '/login', options)
  await signIn(page)
  await page.waitForURL(/\/calls/)
  if (path !== '/calls') await page.goto(s.url + path)
  return page
}

export async function signIn(page, { login, password } = account) {
  await page.getByLabel('Логин').fill(login)
  await page.getByLabel('Пароль', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Войти' }).click()
}

/** Closes the page and tells what went wrong on it. */
export async function close(page) {
  const { faults } = page
  await page.context().close()
  assert.deepEqual(faults, [])
}

/** Waits until look() is true; says what was awaited if it never is. */
export async function until(look, what, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience
  let last
  while (Date.now() < deadline) {
    last = await look()
    if (last) return last
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`waited ${patience} ms in vain: ${what}`)
}

/** Asks the JSON API with the page's session. */
export function ask(page, path) {
  return page.evaluate(async (p) => (await fetch(`/api/v1${p}`)).json(), path)
}

/** The id of a finished call with text, the longest one: a short one may end while a test still looks. */
export async function doneCall(page) {
  const { calls } = await ask(page, '/calls?state=done&limit=20')
  assert.ok(calls.length > 0, 'no finished call to look at')
  return calls.sort((a, b) => b.seconds - a.seconds)[0].id
}
