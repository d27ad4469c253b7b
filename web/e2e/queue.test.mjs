import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ask, close, mockOnly, signedIn, stage, until } from './stage.mjs'

const s = stage()
beforeEach(() => s.reset())

test('groups, lanes and the speech worker are shown', async () => {
  const page = await signedIn(s, '/queue')
  for (const text of ['Вручную', 'Короткие до 1 мин', 'Новые звонки', 'Архив', 'Сеть', 'Речь']) await page.getByText(text, { exact: true }).first().waitFor()
  const { speech } = await ask(page, '/queue')
  await page.getByText(speech.model).first().waitFor()
  await close(page)
})

test('pause and resume', async () => {
  const page = await signedIn(s, '/queue')
  await page.getByRole('button', { name: 'Приостановить' }).click()
  await page.getByText('Очередь приостановлена', { exact: true }).first().waitFor()
  assert.equal((await ask(page, '/queue')).paused, true)
  await page.getByRole('button', { name: 'Продолжить' }).click()
  await page.getByRole('button', { name: 'Приостановить' }).waitFor()
  assert.equal((await ask(page, '/queue')).paused, false)
  await close(page)
})

test('what waits for a person has the one button that helps', mockOnly, async () => {
  const page = await signedIn(s, '/queue')
  const people = page.getByRole('region', { name: /Ждут человека/ })
  await people.getByRole('listitem').filter({ hasText: 'Не хватает' }).getByRole('link', { name: 'Пополнить' }).waitFor()
  await people.getByRole('listitem').filter({ hasText: 'отложена' }).getByRole('link', { name: 'Открыть' }).click()
  await page.waitForURL(/call-bug/)
  await page.getByRole('heading', { name: 'Запись отложена' }).waitFor()
  await page.getByRole('button', { name: 'Попробовать ещё раз' }).click()
  await page.locator('fly-call .turns li').first().waitFor()
  await close(page)
})

test('a dead worker and a graphics card are told', mockOnly, async () => {
  const page = await signedIn(s, '/queue')
  await page.getByText('Видеокарты нет: распознаёт процессор').waitFor()
  const { speech } = await ask(page, '/queue')
  await s.set({
    speech: { ...speech, state: 'down', restarts: 3, lastLines: ['signal: segmentation fault'] },
    gpus: [{ name: 'RTX 4090', utilisation: 61, memoryUsed: 15_247_000_000, memoryTotal: 25_757_000_000, temperature: 66 }],
  })
  await page.getByText('не работает', { exact: true }).waitFor()
  await page.getByText('signal: segmentation fault').waitFor()
  await page.getByText('14,2\u202fГБ из 24,0\u202fГБ').waitFor()
  assert.ok(await until(() => page.getByText('Распознавание не работает').count(), 'the sidebar says it too'))
  await close(page)
})

test('cancelling a call gives its hold back and says so', mockOnly, async () => {
  const page = await signedIn(s, '/calls/call-queued')
  await page.getByRole('button', { name: 'Отменить', exact: true }).click()
  await page.getByRole('heading', { name: 'Распознавание отменено' }).waitFor()
  await close(page)
})
