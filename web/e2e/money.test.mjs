import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ask, close, mockOnly, real, signedIn, stage, until } from './stage.mjs'

const s = stage()
beforeEach(() => s.reset())

const PACK = process.env.FLYSENSE_PACK ?? 'v4.public.mock' // a real server wants a pack signed for it

test('a call without funds says what is missing and starts after the top-up', { skip: real && !process.env.FLYSENSE_PACK && 'set FLYSENSE_PACK' }, async (t) => {
  const page = await signedIn(s, '/calls')
  const { calls } = await ask(page, '/calls?state=no_funds&limit=1')
  if (calls.length === 0) return t.skip('no call waits for funds')
  await page.goto(`${s.url}/calls/${calls[0].id}`)
  await page.getByRole('heading', { name: /Не хватает [\d\u202f]+,\d\d FC/ }).waitFor()
  await page.getByRole('link', { name: 'Пополнить баланс' }).click()
  const text = page.getByRole('textbox', { name: 'Текст пакета' })
  await text.fill(PACK)
  await page.getByRole('button', { name: 'Зачислить' }).click()
  await page.getByText(/Зачислено [\d\u202f]+ FC/).waitFor()
  await page.goto(`${s.url}/calls/${calls[0].id}`)
  await page.getByRole('button', { name: /^Запустить/ }).click()
  await page.locator('fly-call .turns li').first().waitFor({ timeout: 120_000 })
  await close(page)
})

test('a bad pack is refused in words, the same pack counts once', mockOnly, async () => {
  const page = await signedIn(s, '/balance')
  const text = page.getByRole('textbox', { name: 'Текст пакета' })
  await text.fill('мусор')
  await page.getByRole('button', { name: 'Зачислить' }).click()
  await page.getByText('Это не пакет FlySense').waitFor()
  assert.equal(await text.inputValue(), 'мусор', 'what was pasted stays')
  await text.fill(PACK)
  await page.getByRole('button', { name: 'Зачислить' }).click()
  await page.getByText('Зачислено 3\u202f000 FC').waitFor()
  await until(async () => (await page.getByText('3\u202f963,07').count()) > 0, 'the new balance')
  await text.fill(PACK)
  await page.getByRole('button', { name: 'Зачислить' }).click()
  await page.getByText('уже загружен раньше').waitFor()
  assert.equal((await ask(page, '/balance')).available, String(3963n * 360_000n + 25_200n))
  await close(page)
})

test('a pack comes from a file', mockOnly, async () => {
  const page = await signedIn(s, '/balance')
  await page.locator('input[type=file]').setInputFiles({ name: 'pack.txt', mimeType: 'text/plain', buffer: Buffer.from('v4.public.from-a-file\n') })
  await page.getByText('Зачислено 3\u202f000 FC').waitFor()
  await close(page)
})

test('packs and charges have signs, links to their calls, and more of them on demand', mockOnly, async () => {
  const page = await signedIn(s, '/balance')
  await page.getByRole('cell', { name: '0,63' }).waitFor()
  await page.getByRole('cell', { name: '−0,62' }).first().waitFor()
  assert.equal(await page.locator('tbody tr').count(), 30)
  await page.getByRole('button', { name: 'Показать ещё' }).click()
  await until(async () => (await page.locator('tbody tr').count()) === 60, 'thirty more')
  await page.getByText('журнал проверен').waitFor()
  await close(page)
})

test('amounts are exact beyond the precision of a float, rounded down', mockOnly, async () => {
  await s.set({ available: '9007199254740993359999' }) // 25019997929836092.666… FC
  const page = await signedIn(s, '/balance')
  await page.getByText('25\u202f019\u202f997\u202f929\u202f836\u202f092,66').first().waitFor()
  await close(page)
})
