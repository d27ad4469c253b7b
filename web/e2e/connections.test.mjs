import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ask, close, mockOnly, signedIn, stage, until } from './stage.mjs'

const s = stage()
beforeEach(() => s.reset())

const count = async (page) => (await ask(page, '/connections')).connections.length

test('the wizard leads from the keys to the access; a refusal keeps what was typed', mockOnly, async () => {
  const page = await signedIn(s, '/connections')
  await page.getByRole('button', { name: /Подключить/ }).click()
  const dialog = page.getByRole('dialog', { name: 'Подключить amoCRM' })
  await dialog.getByText('https://flysense.company.local/oauth/amocrm').waitFor()
  await dialog.getByLabel('Адрес аккаунта').fill('не адрес')
  await dialog.getByText('Нужен адрес вида').waitFor()
  await dialog.getByLabel('Адрес аккаунта').fill('https://Okna.amocrm.ru/leads/')
  await dialog.getByLabel('ID интеграции').fill('11111111-2222-3333-4444-555555555555')
  await dialog.getByLabel('Секретный ключ').fill('secret')
  await dialog.getByRole('button', { name: 'Дальше' }).click()
  assert.equal(await dialog.getByRole('radio', { name: 'Долгосрочный токен' }).isChecked(), true, 'the token is the first choice')
  await dialog.getByRole('textbox', { name: 'Токен' }).fill('bad')
  await dialog.getByRole('button', { name: 'Подключить' }).click()
  await dialog.getByText('amoCRM не принял токен').waitFor()
  await dialog.getByRole('textbox', { name: 'Токен' }).fill('good')
  await dialog.getByRole('button', { name: 'Подключить' }).click()
  await page.getByText('amoCRM · okna.amocrm.ru').waitFor()
  assert.equal(await count(page), 3)
  await close(page)
})

test('the consent page is opened when it is chosen', mockOnly, async () => {
  const page = await signedIn(s, '/connections?add=1')
  const dialog = page.getByRole('dialog', { name: 'Подключить amoCRM' })
  await dialog.getByLabel('Адрес аккаунта').fill('okna.amocrm.ru')
  await dialog.getByLabel('ID интеграции').fill('id')
  await dialog.getByLabel('Секретный ключ').fill('secret')
  await dialog.getByRole('button', { name: 'Дальше' }).click()
  await dialog.getByRole('radio', { name: 'Страница согласия amoCRM' }).click()
  const asked = page.waitForRequest(/\/oauth\/amocrm/)
  await dialog.getByRole('button', { name: 'Открыть amoCRM' }).click()
  await asked
  await page.getByText('Подключено. Новые звонки появятся сами').first().waitFor()
  await close(page)
})

test('automatic on and off, channels and own hosts are saved', mockOnly, async () => {
  const page = await signedIn(s, '/connections')
  const saved = async () => (await ask(page, '/connections')).connections[0]
  await page.getByRole('switch', { name: /^Мебель на заказ/ }).click()
  await until(async () => (await saved()).automatic === false, 'automatic is off')
  await page.getByRole('button', { name: 'Настроить' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Мебель на заказ' })
  await dialog.getByRole('group', { name: 'Во входящих' }).getByRole('radio', { name: 'правом' }).click()
  await dialog.getByRole('textbox', { name: 'Свои серверы с записями' }).fill('pbx.local')
  await page.keyboard.press('Enter')
  await dialog.getByRole('button', { name: 'Сохранить' }).click()
  await dialog.waitFor({ state: 'hidden' })
  const { agentChannelIn, agentChannelOut, onPremHosts } = await saved()
  assert.deepEqual({ agentChannelIn, agentChannelOut, onPremHosts }, { agentChannelIn: 1, agentChannelOut: 1, onPremHosts: ['pbx.local'] })
  await close(page)
})

test('the archive shows count, hours and price before it starts', mockOnly, async () => {
  const page = await signedIn(s, '/connections')
  await page.getByRole('button', { name: 'Звонки из архива' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Звонки из архива' })
  await dialog.getByText(/\d+\sзвонк\S* · \d+\sч/).waitFor()
  await dialog.getByText(/Распознать всё: [\d\u202f]+,\d\d FC/).waitFor()
  await dialog.getByRole('button', { name: /^Распознать \d+/ }).click()
  await page.getByText('Поставлено в очередь: 63').first().waitFor()
  await close(page)
})

test('access that was taken away can be given again from the queue', mockOnly, async () => {
  const page = await signedIn(s, '/queue')
  await page.getByRole('link', { name: 'Переподключить' }).click()
  const dialog = page.getByRole('dialog', { name: /Переподключить Филиал/ })
  await dialog.getByRole('textbox', { name: 'Токен' }).fill('new token')
  await dialog.getByRole('button', { name: 'Переподключить' }).click()
  await until(async () => (await ask(page, '/connections')).connections[1].state === 'active', 'it is active')
  await close(page)
})

test('removing asks first', mockOnly, async () => {
  const page = await signedIn(s, '/connections')
  await page.getByRole('button', { name: 'Настроить' }).first().click()
  await page.getByRole('button', { name: 'Отключить…' }).click()
  await page.getByRole('dialog', { name: /^Отключить/ }).getByRole('button', { name: 'Отключить', exact: true }).click()
  await until(async () => (await count(page)) === 1, 'one is left')
  await close(page)
})
