import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ask, close, doneCall, mockOnly, open, signedIn, stage, until } from './stage.mjs'

const s = stage()
beforeEach(() => s.reset())

/** The viewer of a finished call. */
async function viewer(page, id) {
  const call = id ?? (await doneCall(page))
  await page.goto(`${s.url}/calls/${call}`)
  const element = page.locator('fly-call')
  await element.locator('.turns li').first().waitFor()
  const audio = () => element.locator('audio').evaluate((a) => ({ time: a.currentTime, paused: a.paused, speed: a.playbackRate, ready: a.readyState }))
  const current = () => element.locator('.turns li').evaluateAll((all) => all.findIndex((li) => li.getAttribute('aria-current') === 'true'))
  return { id: call, element, audio, current, data: await ask(page, `/calls/${call}`) }
}

test('the dialogue has its speakers and times, the agent right, the client left', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  const turns = v.element.locator('.turns li')
  assert.equal(await turns.count(), v.data.turns.length)
  for (const [i, turn] of v.data.turns.slice(0, 4).entries()) {
    const li = turns.nth(i)
    assert.ok((await li.locator('.text').textContent()).includes(turn.text), `text of turn ${i}`)
    assert.ok((await li.getAttribute('class')).includes(turn.speaker))
  }
  const agent = await v.element.locator('.turns li.agent').first().boundingBox()
  const client = await v.element.locator('.turns li.client').first().boundingBox()
  assert.ok(agent.x + agent.width > client.x + client.width, 'the agent stands further right')
  assert.ok(client.x < agent.x || agent.width > client.width, 'the client stands left')
  await close(page)
})

test('a click on a turn goes there', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  const i = Math.min(2, v.data.turns.length - 1)
  await v.element.locator('.turns li .text').nth(i).click()
  await until(async () => Math.abs((await v.audio()).time - v.data.turns[i].start) < 0.2, 'the audio stands at the turn')
  await until(async () => (await v.current()) === i, 'the turn is tinted')
  await close(page)
})

test('the highlight follows the voice, word by word', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  await v.element.getByRole('button', { name: 'Слушать', exact: true }).click()
  await until(async () => !(await v.audio()).paused, 'it plays')
  // Every tinted turn is checked against the audio's own clock, in one look of the page.
  const turns = v.data.turns
  const seen = new Set()
  const filled = []
  await until(async () => {
    const look = await v.element.evaluate((e) => {
      const root = e.shadowRoot
      const at = root.querySelector('audio').currentTime
      const all = [...root.querySelectorAll('.turns li')]
      const index = all.findIndex((li) => li.hasAttribute('aria-current'))
      const words = [...(all[index]?.querySelectorAll('.word') ?? [])].map((w) => Number(w.style.getPropertyValue('--said')))
      return { at, index, words }
    })
    if (look.index >= 0) {
      const turn = turns[look.index]
      const next = turns[look.index + 1]
      assert.ok(turn.start <= look.at + 0.3, `turn ${look.index} lit at ${look.at}, begins at ${turn.start}`)
      if (next) assert.ok(look.at < Math.max(turn.end, next.start) + 0.4, `turn ${look.index} still lit at ${look.at}`)
      assert.deepEqual([...look.words], [...look.words].sort((a, b) => b - a), 'words fill in order')
      seen.add(look.index)
      filled.push(look.words.filter((w) => w === 1).length)
    }
    return seen.size >= 2
  }, 'the highlight reaches a second turn', 30_000)
  assert.ok(Math.max(...filled) > 0, 'words were filled')
  await close(page)
})

test('the list scrolls with the voice until the person scrolls, a button brings it back', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  await page.setViewportSize({ width: 1280, height: 460 })
  const v = await viewer(page, 'call-done')
  const list = v.element.locator('.turns')
  const inView = (i) => list.evaluate((box, index) => {
    const li = box.querySelectorAll('li')[index].getBoundingClientRect()
    const view = box.getBoundingClientRect()
    return li.top >= view.top - 1 && li.bottom <= view.bottom + 1
  }, i)
  await v.element.locator('.time').nth(7).click()
  await page.keyboard.press(' ')
  await until(() => inView(7), 'the spoken turn is scrolled into view')
  const box = await list.boundingBox()
  await page.mouse.move(box.x + 50, box.y + 50)
  await page.mouse.wheel(0, -3000)
  const back = v.element.getByRole('button', { name: 'К текущей реплике' })
  await back.waitFor()
  await until(async () => (await v.current()) === 8, 'the voice goes on')
  assert.equal(await inView(8), false, 'the list stays where the person left it')
  await back.click()
  await until(() => inView(8), 'back at the spoken turn')
  await back.waitFor({ state: 'hidden' })
  await close(page)
})

test('a person who scrolls while the list glides to a turn is not carried on', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  await page.setViewportSize({ width: 1280, height: 460 })
  const v = await viewer(page, 'call-done')
  const list = v.element.locator('.turns')
  const top = () => list.evaluate((box) => box.scrollTop)
  const box = await list.boundingBox()
  await page.mouse.move(box.x + 50, box.y + 50)
  await list.evaluate((all) => all.querySelectorAll('.time')[7].click())
  await until(async () => (await top()) > 0, 'the list sets off')
  await until(async () => {
    await page.mouse.wheel(0, -3000) // a busy browser may drop one
    return (await top()) < 50
  }, 'the wheel wins')
  await new Promise((resolve) => setTimeout(resolve, 500)) // longer than a glide
  assert.ok((await top()) < 50, 'and the list stays there')
  await v.element.getByRole('button', { name: 'К текущей реплике' }).waitFor()
  await close(page)
})

test('the keys: space, arrows, 1 2 3', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  await until(async () => (await v.audio()).ready > 0, 'the audio is there')
  await page.keyboard.press('ArrowDown')
  await until(async () => (await v.current()) === 0, 'the first turn')
  await page.keyboard.press('ArrowDown')
  await until(async () => (await v.current()) === 1, 'the second turn')
  await page.keyboard.press('ArrowUp')
  await until(async () => (await v.current()) === 0, 'the first turn again')
  const before = (await v.audio()).time
  await page.keyboard.press('ArrowRight')
  await until(async () => Math.abs((await v.audio()).time - before - 5) < 0.1, 'five seconds on')
  await page.keyboard.press('ArrowLeft')
  await until(async () => Math.abs((await v.audio()).time - before) < 0.1, 'and back')
  for (const [key, speed] of [['2', 1.5], ['3', 2], ['1', 1]]) {
    await page.keyboard.press(key)
    await until(async () => (await v.audio()).speed === speed, `speed ${speed}`)
  }
  await page.keyboard.press(' ')
  await until(async () => !(await v.audio()).paused, 'space plays')
  await page.keyboard.press(' ')
  await until(async () => (await v.audio()).paused, 'space pauses')
  await close(page)
})

test('a click on the waveform goes there', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  await until(async () => (await v.audio()).ready > 0, 'the audio is there')
  const wave = v.element.getByRole('slider', { name: 'Место в записи' })
  const box = await wave.boundingBox()
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  const half = v.data.recording.seconds / 2
  await until(async () => Math.abs((await v.audio()).time - half) < 0.05 * v.data.recording.seconds, 'half way')
  await close(page)
})

test('a verdict plays its quote', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page, 'call-done')
  await v.element.getByRole('button', { name: /Слушать «До свидания»/ }).click()
  const at = v.data.analysis.verdicts.find((x) => x.kind === 'farewell').at
  await until(async () => !(await v.audio()).paused && (await v.audio()).time >= at, 'it plays from the quote')
  await close(page)
})

test('an edited summary survives a reload, has its author, and can be taken back', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  const original = v.data.analysis.original.summary
  const text = `Проверка правки ${Date.now()}`
  await v.element.getByRole('button', { name: 'Изменить итог' }).click()
  await page.keyboard.press('Escape')
  assert.equal(await v.element.getByRole('textbox', { name: 'Итог' }).count(), 0, 'Esc leaves it alone')
  await v.element.getByRole('button', { name: 'Изменить итог' }).click()
  await v.element.getByRole('textbox', { name: 'Итог' }).fill(text)
  await page.keyboard.press('Enter')
  await v.element.locator('.summary', { hasText: text }).waitFor()
  await page.reload()
  await v.element.locator('.summary', { hasText: text }).waitFor()
  const correction = v.element.locator('.correction').first()
  const { login } = await ask(page, '/session')
  assert.match(await correction.textContent(), new RegExp(`Исправлено: ${login}, сегодня`))
  await correction.getByRole('button', { name: 'вернуть, как было' }).click()
  await v.element.locator('.summary', { hasText: original.slice(0, 40) }).waitFor()
  await v.element.locator('.correction').first().waitFor({ state: 'detached' })
  assert.equal((await ask(page, `/calls/${v.id}`)).analysis.summary, original)
  await close(page)
})

test('tone, verdicts and tags can be corrected and taken back', async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page)
  const saved = async () => (await ask(page, `/calls/${v.id}`)).analysis
  const { original } = v.data.analysis
  const undo = () => v.element.getByRole('button', { name: 'вернуть, как было' }).first().click()

  const tone = original.tone === 'positive' ? ['негативная', 'negative'] : ['позитивная', 'positive']
  await v.element.getByRole('button', { name: 'Изменить тональность' }).click()
  await v.element.getByRole('radio', { name: tone[0] }).click()
  await until(async () => (await saved()).tone === tone[1], 'the tone is saved')
  await undo()
  await until(async () => (await saved()).tone === original.tone, 'the tone is back')

  const greeting = original.verdicts.find((x) => x.kind === 'greeting').found
  await v.element.getByRole('button', { name: /приветствие: .*Исправить/ }).click()
  await until(async () => (await saved()).verdicts.find((x) => x.kind === 'greeting').found === !greeting, 'the verdict is saved')
  await undo()
  await until(async () => (await saved()).verdicts.find((x) => x.kind === 'greeting').found === greeting, 'the verdict is back')

  await v.element.getByRole('button', { name: '+ тег' }).click()
  await v.element.getByRole('textbox', { name: 'Новый тег' }).fill('проверка')
  await page.keyboard.press('Enter')
  await until(async () => (await saved()).tags.includes('проверка'), 'the tag is saved')
  await v.element.getByRole('button', { name: 'Убрать тег проверка' }).click()
  await until(async () => !(await saved()).tags.includes('проверка'), 'the tag is gone')
  await close(page)
})

test('a refused edit keeps what was typed and says why', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page, 'call-done')
  await v.element.getByRole('button', { name: 'Изменить итог' }).click()
  await s.set({ faults: { '/api/v1/calls/call-done/analysis': { status: 503, message: 'Сейчас сохранить нельзя.' } } })
  const box = v.element.getByRole('textbox', { name: 'Итог' })
  await box.fill('Дорогой текст')
  await page.keyboard.press('Enter')
  await v.element.getByText('Сейчас сохранить нельзя.').waitFor()
  assert.equal(await box.inputValue(), 'Дорогой текст')
  await close(page)
})

test('audio that is no longer kept can be loaded again', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  const v = await viewer(page, 'call-gone')
  assert.equal(await v.element.getByRole('button', { name: 'Слушать', exact: true }).count(), 0)
  await v.element.getByText(/Звук хранился до .*, текст остался/).waitFor()
  await v.element.getByRole('button', { name: 'Загрузить запись снова' }).click()
  await v.element.getByRole('button', { name: 'Слушать', exact: true }).waitFor()
  await until(async () => (await v.audio()).ready > 0, 'the audio is there again')
  await close(page)
})

test('delete asks first, then leads back to the list', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  await viewer(page, 'call-negative')
  await page.getByRole('button', { name: 'Действия со звонком' }).click()
  await page.getByRole('menuitem', { name: 'Удалить…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Удалить' }).click()
  await page.waitForURL(/\/calls$/)
  await page.goto(`${s.url}/calls/call-negative`)
  await page.getByText('Такого звонка нет').waitFor()
  await close(page)
})

test('the transcript and the audio can be downloaded', async () => {
  const page = await signedIn(s, '/calls')
  await viewer(page)
  for (const name of ['Текст (.txt)', 'Данные (.json)', 'Субтитры (.srt)', 'Субтитры (.vtt)', 'Звук']) {
    await page.getByRole('button', { name: 'Действия со звонком' }).click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()])
    assert.equal(await download.failure(), null, name)
  }
  await close(page)
})

test('the bundle works alone on a hostile page', mockOnly, async () => {
  const page = await signedIn(s, '/calls')
  await page.goto(`${s.url}/mock/host?call=call-done`)
  const element = page.locator('fly-call')
  await element.locator('.turns li').nth(3).waitFor()
  await element.getByRole('button', { name: 'Слушать', exact: true }).click()
  await until(() => element.locator('audio').evaluate((a) => a.currentTime > 0.2), 'it plays')
  assert.equal(await page.evaluate(() => window.defined), 0, 'no anonymous define() call')
  await close(page)
})
