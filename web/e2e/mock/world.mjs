// The mock's memory: calls, money, connections. Realistic, invented data.

import { synthesise } from './audio.mjs'

export const FC = 360_000n
const PER_SECOND = 15_000n
const MIN_SECONDS = 15
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const price = (seconds) => PER_SECOND * BigInt(Math.max(MIN_SECONDS, Math.ceil(seconds)))

const DIALOGUE = [
  ['agent', 'Здравствуйте, компания «Мебель на заказ», меня зовут Ольга.'],
  ['client', 'Здравствуйте. Я оставлял заявку на кухню, хочу узнать цену.'],
  ['agent', 'Да, вижу вашу заявку. Кухня три метра, фасады матовые, верно?'],
  ['client', 'Верно. Но у ваших конкурентов выходит на двадцать тысяч дешевле.'],
  ['agent', 'Понимаю. У нас в цену входит доставка, сборка и гарантия два года. Могу предложить скидку семь процентов, если подпишем договор до конца недели.'],
  ['client', 'Семь процентов уже интересно. Пришлите смету.'],
  ['agent', 'Пришлю смету до пятницы на вашу почту. Удобно?'],
  ['client', 'Да, спасибо. А высоковольтноэлектрооборудованный шкаф вы тоже собираете?'],
  ['agent', 'Собираем всё, кроме встроенной техники, её подключает сертифицированный мастер.'],
  ['client', 'Тогда жду смету. До свидания.'],
  ['agent', 'До свидания, хорошего дня!'],
]

/** Turns and words with times; a word lasts as long as it is long. */
export function speak(lines, perLetter = 0.062, pause = 0.45) {
  let at = 0.5
  return lines.map(([speaker, text]) => {
    const start = at
    const words = text.split(' ').map((w) => {
      const word = { text: w, start: at, end: at + w.length * perLetter }
      at = word.end + 0.05
      return word
    })
    const end = at
    at += pause
    return { speaker, channel: speaker === 'agent' ? 0 : 1, start, end, text, words }
  })
}

function understood(summary, tone, turns, tags, found) {
  const verdicts = ['greeting', 'farewell', 'profanity', 'negativity'].map((kind) => {
    const turn = found[kind] === undefined ? null : turns[found[kind]]
    return { kind, found: turn !== null, speaker: turn?.speaker ?? '', quote: turn ? turn.text.split(/[,.]/)[0] : '', at: turn?.start ?? 0 }
  })
  const whole = { summary, tone, tags, verdicts }
  return { by: 'lexicon', ...whole, edits: [], original: structuredClone(whole) }
}

export function makeWorld({ empty = false, fresh = false } = {}) {
  const now = Date.now()
  const noon = new Date(now).setHours(12, 41, 0, 0) // calls of "today" stay today whenever the tests run
  const today = Math.min(now - 5 * MINUTE, noon)
  const world = {
    admin: fresh ? null : { login: 'admin', password: 'demo-demo-demo' },
    setupCode: '4821-7730',
    sessions: new Set(),
    calls: [],
    operations: [],
    connections: [],
    available: 963n * FC + 25_200n,
    paused: false,
    speech: {
      state: 'ready', model: 'ggml-demo-ru.bin', demo: true, backend: 'CPU', device: '2 ядра', realtime: 7.4, restarts: 0, since: now - 3 * HOUR,
      lastLines: ['whisper: model loaded, 74 MB', 'whisper: 16 kHz, window 30 s', 'ready'],
    },
    gpus: [],
    gpuProblem: '',
    packs: new Set(),
    faults: {}, // path prefix -> { status, code, message }
  }
  if (empty || fresh) return world

  world.connections.push(
    { id: 'c1', vendor: 'amocrm', name: 'Мебель на заказ', host: 'mebel.amocrm.ru', state: 'active', problem: '', automatic: true, agentChannelIn: 0, agentChannelOut: 1, onPremHosts: [], lastPollAt: now - 40_000, calls: 128 },
    { id: 'c2', vendor: 'amocrm', name: 'Филиал в Переславле-Залесском', host: 'pereslavl-zalessky-mebel.amocrm.ru', state: 'needs_owner', problem: 'amoCRM отозвал доступ. Вставьте новый долгосрочный токен, звонки подождут.', automatic: false, agentChannelIn: 0, agentChannelOut: 0, onPremHosts: ['pbx.mebel.local'], lastPollAt: now - 5 * HOUR, calls: 12 },
  )

  const add = (call) => {
    const seconds = call.seconds
    const base = {
      connection: { id: 'c1', name: 'Мебель на заказ' }, direction: 'in', agent: 'Ольга Смирнова', step: 'deliver', problem: '', remark: '',
      progress: null, position: null, etaSeconds: null, charged: null, held: null, turns: [], analysis: null, recording: null, peaks: [], agentChannel: 0,
      model: '', language: '', notes: [], history: [], price: String(price(seconds)),
    }
    const full = { ...base, ...call }
    full.notes = [
      { cardKind: 'lead', cardId: '10' + world.calls.length, cardTitle: full.title, cardUrl: 'https://mebel.amocrm.ru/leads/detail/10' + world.calls.length, written: full.state === 'done' },
    ]
    full.history = [{ at: full.startedAt + seconds * 1000, actor: 'appliance', state: 'queued', step: 'fetch', problem: '' }]
    if (full.turns.length) {
      const { wav, peaks } = synthesise(full.turns, seconds, full.agentChannel)
      full.wav = wav
      full.peaks = peaks
      full.recording = { format: 'wav PCM 16', rate: 8000, channels: 2, seconds, bytes: wav.length, truncated: false, misnamed: false, keptUntil: full.startedAt + 30 * DAY, available: true, ...call.recording }
      full.model = 'ggml-demo-ru.bin'
      full.language = 'ru'
    }
    if (full.state === 'done') full.charged = full.price
    full.history.push({ at: full.startedAt + seconds * 1000 + 40_000, actor: full.actor ?? 'appliance', state: full.state, step: full.step, problem: full.problem })
    world.calls.push(full)
    return full
  }

  const turns = speak(DIALOGUE)
  const lasts = Math.ceil(turns.at(-1).end) + 1
  add({
    id: 'call-done', title: 'Кухня «Модерн», Химки', phone: '+7 916 555-12-40', startedAt: today, seconds: lasts, state: 'done', turns,
    analysis: understood('Клиент сравнивает с конкурентом, просит скидку 7 %. Договорились: смета до пятницы.', 'neutral', turns, ['скидка', 'кухня', 'конкурент'], { greeting: 0, farewell: 10, negativity: 3 }),
  })
  add({ id: 'call-running', title: 'Монтаж окон, 3 шт.', agent: 'Илья Котов', phone: '+7 903 555-77-15', direction: 'out', startedAt: today - 4 * MINUTE, seconds: 668, state: 'running', step: 'transcribe', progress: { done: 14, total: 22 }, etaSeconds: 40, held: String(price(668)) })
  add({ id: 'call-queued', title: 'ООО «Вектор»', phone: '+7 495 555-03-03', startedAt: today - 6 * MINUTE, seconds: 48, state: 'queued', step: 'transcribe', position: 2, etaSeconds: 65, held: String(price(48)) })
  const refund = speak([
    ['agent', 'Добрый день, служба заботы, Марина.'],
    ['client', 'Это безобразие, я третью неделю жду возврата денег!'],
    ['agent', 'Понимаю ваше недовольство. Проверю заявку прямо сейчас.'],
    ['client', 'Позовите старшего, я буду жаловаться.'],
    ['agent', 'Старший перезвонит вам сегодня до восемнадцати часов.'],
  ])
  add({
    id: 'call-negative', title: 'Возврат заказа 18-204', agent: 'Марина Яковлева', phone: '+7 926 555-45-81', startedAt: today - 21 * MINUTE, seconds: Math.ceil(refund.at(-1).end) + 1, state: 'done', turns: refund,
    remark: 'Запись обрывается на 0:19, распознано всё, что удалось прочитать.',
    analysis: understood('Клиент недоволен сроком возврата денег, требует старшего. Обещан звонок сегодня до 18:00.', 'negative', refund, ['возврат', 'обещание'], { greeting: 0, negativity: 1 }),
  })
  const visit = speak([
    ['agent', 'Здравствуйте, это Илья, мебель на заказ.'],
    ['client', 'Да, слушаю.'],
    ['agent', 'Замер в среду в одиннадцать, адрес прежний?'],
    ['client', 'Да, всё верно, спасибо, очень удобно.'],
    ['agent', 'До встречи, до свидания.'],
  ])
  add({
    id: 'call-gone', title: 'Шкаф-купе 2,4 м', agent: 'Илья Котов', phone: '+7 985 555-20-20', direction: 'out', startedAt: today - 40 * DAY, seconds: Math.ceil(visit.at(-1).end) + 1, state: 'done', turns: visit,
    recording: { available: false },
    analysis: understood('Согласован замер в среду в 11:00, адрес подтверждён.', 'positive', visit, ['замер'], { greeting: 0, farewell: 4 }),
  })
  add({ id: 'call-funds', title: '+7 901 555-66-32', agent: 'Марина Яковлева', phone: '+7 901 555-66-32', startedAt: today - 61 * MINUTE, seconds: 440, state: 'no_funds', step: 'transcribe', price: String(977n * FC), problem: 'Не хватает 13,93 FC. Пополните баланс и запустите вручную.' })
  add({ id: 'call-waiting', title: 'Гарантия, стол', phone: '+7 977 555-10-10', direction: 'out', startedAt: today - 89 * MINUTE, seconds: 185, state: 'waiting', step: 'fetch', problem: 'АТС ещё не сохранила запись. Следующая попытка через 20 минут.' })
  add({ id: 'call-failed', title: 'Согласование высоковольтноэлектрооборудования для мебельнопроизводственного комбината', phone: '+7 499 555-30-30', agent: 'Константин Константинопольский-Переславльзалесский', startedAt: today - DAY, seconds: 95, state: 'failed', step: 'fetch', problem: 'Файл записи повреждён: в нём нет звука, который можно прочитать. Проверьте запись в АТС и нажмите «Повторить».' })
  add({ id: 'call-bug', title: 'Перезвонить поставщику', phone: '+7 812 555-90-90', startedAt: today - DAY - HOUR, seconds: 1360, state: 'quarantined', step: 'transcribe', problem: 'Модуль речи упал на этой записи три раза, она отложена. Деньги не списаны, другие звонки идут.' })
  add({ id: 'call-owner', title: 'Доставка в Ростов', connection: { id: 'c2', name: 'Филиал в Переславле-Залесском' }, phone: '+7 863 555-14-14', startedAt: today - DAY - 2 * HOUR, seconds: 310, state: 'needs_owner', step: 'fetch', problem: 'amoCRM отозвал доступ к записям. Переподключите его, звонок продолжится сам.' })
  add({ id: 'call-found', title: 'Столешница, пересчёт', phone: '+7 495 555-71-71', startedAt: today - DAY - 3 * HOUR, seconds: 205, state: 'found', step: 'detect' })
  add({ id: 'call-cancelled', title: 'Пробный звонок', phone: '+7 495 555-71-72', startedAt: today - DAY - 4 * HOUR, seconds: 33, state: 'cancelled', step: 'transcribe', actor: 'admin' })
  for (let i = 0; i < 70; i++) {
    const short = speak([['agent', 'Здравствуйте, мебель на заказ.'], ['client', 'Подскажите часы работы.'], ['agent', 'С девяти до восьми. До свидания.']])
    add({
      id: `call-old-${i}`, title: `Заявка ${1200 + i}`, phone: '+7 900 555-00-' + String(i).padStart(2, '0'), agent: ['Ольга Смирнова', 'Илья Котов', 'Марина Яковлева'][i % 3], startedAt: today - 2 * DAY - i * 37 * MINUTE, seconds: Math.ceil(short[2].end) + 1, state: 'done', turns: short,
      analysis: understood('Клиент уточнил часы работы салона.', ['positive', 'neutral'][i % 2], short, ['вопрос'], { greeting: 0, farewell: 2 }),
    })
  }
  world.calls.sort((a, b) => b.startedAt - a.startedAt)

  let seq = 18_300
  const operate = (o) => world.operations.unshift({ seq: ++seq, callId: '', title: '', seconds: 0, ref: '', ...o, units: String(o.units) })
  operate({ at: today - 6 * DAY, kind: 'credit', units: 1000n * FC, ref: 'ФС-2026-000184' })
  for (const call of [...world.calls].reverse().slice(0, 40)) {
    if (!call.charged) continue
    const name = { callId: call.id, title: call.title, seconds: call.seconds }
    operate({ at: call.startedAt + 60_000, kind: 'hold', units: call.price, ...name })
    operate({ at: call.startedAt + 90_000, kind: 'capture', units: call.charged, ...name })
  }
  operate({ at: today - 30 * MINUTE, kind: 'release', units: 226_800n, callId: 'call-failed', title: 'Согласование высоковольтноэлектрооборудования', seconds: 95, ref: '' })
  return world
}
