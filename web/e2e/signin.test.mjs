import assert from 'node:assert/strict'
import { test } from 'node:test'
import { account, close, mockOnly, open, signedIn, signIn, stage } from './stage.mjs'

const s = stage()

test('a wrong password is told, the right one leads where the person wanted', async () => {
  await s.reset()
  const page = await open(s, '/queue')
  await page.waitForURL(/\/login\?next=/)
  await signIn(page, { login: account.login, password: 'not the password' })
  await page.getByRole('alert').waitFor()
  await signIn(page)
  await page.waitForURL(/\/queue$/)
  await page.getByRole('heading', { name: 'Очередь' }).waitFor()
  await close(page)
})

test('signing out closes the pages', async () => {
  const page = await signedIn(s, '/calls')
  await page.getByRole('button', { name: 'Выйти' }).click()
  await page.waitForURL(/\/login/)
  await page.goto(`${s.url}/balance`)
  await page.waitForURL(/\/login\?next=/)
  await close(page)
})

test('a session that ended while the page was open leads to the login and back', mockOnly, async () => {
  const page = await signedIn(s, '/connections')
  await page.getByText('Мебель на заказ').waitFor()
  await s.reset() // forgets all sessions
  await page.getByRole('button', { name: 'Проверить связь' }).first().click()
  await page.waitForURL(/\/login\?next=/)
  await signIn(page)
  await page.waitForURL(/\/connections/)
  await close(page)
})

test('the first admin is made with the one-time code', mockOnly, async () => {
  await s.reset({ fresh: true })
  const page = await open(s, '/')
  await page.waitForURL(/\/setup/)
  await page.getByLabel('Одноразовый код').fill('0000')
  await page.getByLabel('Пароль', { exact: true }).fill('short')
  assert.equal(await page.getByRole('button', { name: 'Создать и войти' }).isDisabled(), true)
  await page.getByLabel('Пароль', { exact: true }).fill('long enough password')
  await page.getByLabel('Пароль ещё раз').fill('long enough password')
  await page.getByRole('button', { name: 'Создать и войти' }).click()
  await page.getByText('Код не подошёл').waitFor()
  await page.getByLabel('Одноразовый код').fill('4821-7730')
  await page.getByRole('button', { name: 'Создать и войти' }).click()
  await page.waitForURL(/\/calls/)
  await page.getByText('Звонков пока нет').waitFor()
  await page.getByRole('link', { name: 'Подключить amoCRM' }).click()
  await page.getByRole('dialog', { name: 'Подключить amoCRM' }).waitFor()
  await close(page)
})
