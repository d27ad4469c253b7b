// An in-memory server with the JSON API of the appliance, for working on the UI
// and for states that a real server reaches only after hours. It also serves
// the built UI. POST /mock/reset and /mock/set shape its memory.

import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FC, makeWorld, price, speak } from './world.mjs'

const DIST = fileURLToPath(new URL('../../ui/dist/', import.meta.url))
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.json': 'application/json' }
// As strict as the real server's.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "media-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
const MAX_BODY = 1 << 20

export async function startMock({ port = 0 } = {}) {
  let world = makeWorld()
  const streams = new Set()
  const announce = (event, data = {}) => {
    for (const s of streams) s.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  const server = createServer((req, res) => handle(req, res).catch((error) => {
    console.error(error)
    if (!res.headersSent) fail(res, 500, 'internal', 'Ошибка мок-сервера.')
  }))

  async function handle(req, res) {
    const url = new URL(req.url, 'http://mock')
    const path = url.pathname
    if (path === '/mock/reset') {
      world = makeWorld(await body(req))
      announce('queue')
      return json(res, 200, {})
    }
    if (path === '/mock/set') {
      const { call, announceCall, ...rest } = await body(req)
      if (call) Object.assign(find(call.id), call)
      if (rest.available !== undefined) rest.available = BigInt(rest.available)
      Object.assign(world, rest)
      announce('call', call ? { id: call.id } : {})
      announce('balance')
      announce('queue')
      return json(res, 200, {})
    }
    if (path === '/mock/drop') {
      for (const s of streams) s.end()
      return json(res, 200, {})
    }
    if (path === '/mock/host.js') return script(res, HOST_SCRIPT)
    if (path === '/mock/host') return page(res, url.searchParams.get('call'))
    const fault = Object.entries(world.faults).find(([prefix]) => path.startsWith(prefix))
    if (fault) return fail(res, fault[1].status, fault[1].code ?? 'internal', fault[1].message ?? 'Сервер занят. Попробуйте ещё раз.')
    if (path.startsWith('/api/v1/')) return api(req, res, url, path.slice('/api/v1'.length))
    if (path === '/oauth/amocrm') return void res.writeHead(302, { Location: '/connections?connected=c1' }).end()
    return file(res, path)
  }

  const find = (id) => world.calls.find((c) => c.id === id)
  const row = (c) => {
    const { wav, turns, peaks, recording, history, notes, analysis, model, language, agentChannel, held, actor, ...r } = c
    const a = analysis ?? { summary: '', tone: '', by: '', tags: [], verdicts: [] }
    return { ...r, summary: a.summary, tone: a.tone, by: a.by, tags: a.tags, verdicts: a.verdicts.map(({ kind, found }) => ({ kind, found })) }
  }
  const whole = (c) => ({ ...c, wav: undefined, ...row(c) })

  async function api(req, res, url, path) {
    const cookie = /fs=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
    const session = { login: world.admin?.login, role: 'owner', version: '0.1.0-mock', demo: true }
    const open = (status) => {
      const id = Math.random().toString(36).slice(2)
      world.sessions.add(id)
      res.setHeader('Set-Cookie', `fs=${id}; Path=/; HttpOnly; SameSite=Strict`)
      json(res, status, session)
    }
    const route = `${req.method} ${path}`
    if (route === 'POST /setup') {
      const b = await body(req)
      if (world.admin) return fail(res, 409, 'done', 'Администратор уже создан. Войдите.')
      if (b.code !== world.setupCode) return fail(res, 403, 'code', 'Код не подошёл. Возьмите последний из журнала сервера.')
      world.admin = { login: b.login, password: b.password }
      session.login = b.login
      return open(200)
    }
    if (!world.admin) return fail(res, 401, 'setup', 'Создайте администратора одноразовым кодом из журнала сервера.')
    if (route === 'POST /login') {
      const b = await body(req)
      if (b.login !== world.admin.login || b.password !== world.admin.password) return fail(res, 401, 'login', 'Логин или пароль не подошли. Проверьте раскладку и попробуйте ещё раз.')
      return open(200)
    }
    if (!world.sessions.has(cookie)) return fail(res, 401, 'login', 'Войдите, чтобы продолжить.')
    if (route === 'POST /logout') {
      world.sessions.delete(cookie)
      return done(res)
    }
    if (route === 'GET /session') return json(res, 200, session)
    if (route === 'GET /events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      res.write(': hello\n\n')
      streams.add(res)
      req.on('close', () => streams.delete(res))
      return
    }

    if (route === 'GET /calls') return json(res, 200, list(url.searchParams))
    let m = /^\/calls\/([^/]+)(?:\/([a-z.]+))?$/.exec(path)
    if (m) return oneCall(req, res, m[1], m[2] ?? '')

    if (route === 'GET /balance') {
      const running = world.calls.filter((c) => c.held)
      return json(res, 200, {
        available: String(world.available),
        held: String(running.reduce((sum, c) => sum + BigInt(c.held), 0n)),
        spent: String(37n * FC),
        secondsLeft: Number(world.available / 15_000n),
        heldCalls: running.length,
        daily: days(),
        check: { at: Date.now() - 1_800_000, seq: 18_402, ok: true, problem: '' },
        tariff: { perSecond: '15000', minSeconds: 15, summary: String(2n * FC) },
        installation: 'FS-QW3E7RTYUIOPASDF',
      })
    }
    if (route === 'GET /operations') {
      const from = Number(url.searchParams.get('cursor') ?? 0)
      return json(res, 200, { operations: world.operations.slice(from, from + 30), next: world.operations.length > from + 30 ? String(from + 30) : '' })
    }
    if (route === 'POST /packs') {
      const { token } = await body(req)
      if (!/^v4\.public\./.test(token)) return fail(res, 422, 'bad_pack', 'Это не пакет FlySense: подпись не читается. Вставьте текст целиком, он начинается с «v4.public.».')
      const already = world.packs.has(token)
      if (!already) {
        world.packs.add(token)
        world.available += 3000n * FC
        world.operations.unshift({ seq: world.operations[0].seq + 1, at: Date.now(), kind: 'credit', units: String(3000n * FC), callId: '', title: '', seconds: 0, ref: 'ФС-2026-000185' })
        announce('balance')
      }
      return json(res, 200, { units: String(3000n * FC), already })
    }

    if (route === 'GET /queue') return json(res, 200, queue())
    if (route === 'POST /queue/pause' || route === 'POST /queue/resume') {
      world.paused = path.endsWith('pause')
      announce('queue')
      return done(res)
    }

    if (route === 'GET /connections') return json(res, 200, { connections: world.connections, redirectUri: 'https://flysense.company.local/oauth/amocrm' })
    if (route === 'POST /connections') {
      const b = await body(req)
      if (b.token === 'bad') return fail(res, 422, 'access', 'amoCRM не принял токен. Сгенерируйте новый и вставьте его целиком.')
      const c = { id: `c${world.connections.length + 1}`, vendor: 'amocrm', name: b.host.split('.')[0], host: b.host, state: 'active', problem: '', automatic: true, agentChannelIn: 0, agentChannelOut: 0, onPremHosts: [], lastPollAt: null, calls: 0 }
      world.connections.push(c)
      if (b.code || b.token) return json(res, 200, c)
      c.state = 'needs_owner'
      return json(res, 200, { ...c, authorizeUrl: '/oauth/amocrm?code=1' })
    }
    m = /^\/connections\/([^/]+)(?:\/(\w+))?$/.exec(path)
    const connection = m && world.connections.find((c) => c.id === m[1])
    if (!connection) return fail(res, 404, 'not_found', 'Такого нет. Обновите страницу.')
    if (req.method === 'PATCH') return json(res, 200, Object.assign(connection, await body(req)))
    if (req.method === 'DELETE') {
      world.connections = world.connections.filter((c) => c !== connection)
      return done(res)
    }
    if (m[2] === 'reconnect') return json(res, 200, Object.assign(connection, { state: 'active', problem: '' }))
    if (m[2] === 'check') return json(res, 200, connection)
    if (m[2] === 'archive' && req.method === 'GET') {
      const span = (Number(url.searchParams.get('to')) - Number(url.searchParams.get('from'))) / 86_400_000
      const n = Math.round(span * 9)
      return json(res, 200, { count: n, seconds: n * 190, units: String(price(190) * BigInt(n)) })
    }
    if (m[2] === 'archive') return json(res, 200, { started: 63 })
    return fail(res, 404, 'not_found', 'Такого нет. Обновите страницу.')
  }

  async function oneCall(req, res, id, what) {
    const call = find(id)
    if (!call) return fail(res, 404, 'not_found', 'Такого звонка нет: его удалили или ссылка неверна.')
    const change = (fields) => {
      Object.assign(call, fields)
      call.history.push({ at: Date.now(), actor: world.admin.login, state: call.state, step: call.step, problem: call.problem })
      announce('call', { id })
      announce('queue')
    }
    switch (`${req.method} ${what}`) {
      case 'GET ':
        return json(res, 200, whole(call))
      case 'DELETE ':
        world.calls = world.calls.filter((c) => c !== call)
        announce('call', { id })
        return done(res)
      case 'PATCH analysis':
        return edit(res, call, await body(req))
      case 'POST start':
        if (BigInt(call.price) > world.available) change({ state: 'no_funds' })
        else {
          change({ state: 'queued', step: 'transcribe', problem: '', position: 1, etaSeconds: 5, held: call.price })
          setTimeout(() => change({ state: 'running', position: null, progress: { done: 1, total: 3 } }), 600)
          setTimeout(() => finish(call, change), 1500)
        }
        return json(res, 200, row(call))
      case 'POST cancel':
        change({ state: 'cancelled', progress: null, position: null, held: null })
        return done(res)
      case 'POST refetch':
        setTimeout(() => {
          call.recording = { ...call.recording, available: true, keptUntil: Date.now() + 30 * 86_400_000 }
          announce('call', { id })
        }, 800)
        return done(res)
      case 'GET audio':
        if (!call.recording?.available) return fail(res, 410, 'audio_gone', 'Звук больше не хранится. Загрузите запись снова.')
        return audio(req, res, call.wav)
    }
    if (what.startsWith('transcript.')) {
      res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Disposition': `attachment; filename="call.${extname(what).slice(1)}"` })
      return void res.end(call.turns.map((t) => `${t.speaker}: ${t.text}`).join('\n'))
    }
    return fail(res, 404, 'not_found', 'Такого нет.')
  }

  function finish(call, change) {
    const turns = speak([['agent', 'Здравствуйте, мебель на заказ.'], ['client', 'Перезвоните завтра, до свидания.']])
    const done = find('call-done')
    const now = { summary: 'Клиент просит перезвонить завтра.', tone: 'neutral', tags: [], verdicts: [] }
    change({
      state: 'done', step: 'deliver', progress: null, etaSeconds: null, held: null, charged: call.price, turns, wav: done.wav, peaks: done.peaks, recording: done.recording,
      analysis: { by: 'lexicon', ...now, edits: [], original: structuredClone(now) },
    })
    world.available -= BigInt(call.price)
    announce('balance')
  }

  function edit(res, call, { field, value }) {
    const a = call.analysis
    if (!a) return fail(res, 409, 'not_ready', 'Итога ещё нет. Подождите, пока звонок распознается.')
    if (field === 'summary') a.summary = value
    else if (field === 'tone') a.tone = value
    else if (field === 'tags') a.tags = value.split('\n').filter(Boolean)
    else {
      const [kind, found] = value.split('=')
      a.verdicts.find((v) => v.kind === kind).found = found === 'true'
    }
    a.edits.push({ field, value, author: world.admin.login, at: Date.now() })
    announce('call', { id: call.id })
    json(res, 200, a)
  }

  function list(q) {
    const word = (q.get('q') ?? '').toLowerCase()
    const from = Number(q.get('from') ?? 0)
    const to = Number(q.get('to') ?? Infinity)
    const fits = (c, withState) =>
      (!word || [c.title, c.phone, c.agent, c.analysis?.summary, ...c.turns.map((t) => t.text)].join(' ').toLowerCase().includes(word)) &&
      (!withState || !q.get('state') || c.state === q.get('state')) &&
      (!q.get('tone') || c.analysis?.tone === q.get('tone')) &&
      (!q.get('agent') || c.agent === q.get('agent')) &&
      (!q.get('connection') || c.connection.id === q.get('connection')) &&
      (!q.get('tag') || c.analysis?.tags.includes(q.get('tag'))) &&
      c.startedAt >= from && c.startedAt <= to
    const all = world.calls.filter((c) => fits(c, true))
    const states = {}
    for (const c of world.calls.filter((c) => fits(c, false))) states[c.state] = (states[c.state] ?? 0) + 1
    const start = Number(q.get('cursor') || 0)
    const end = start + Math.min(200, Number(q.get('limit') || 50))
    return {
      calls: all.slice(start, end).map(row), next: end < all.length ? String(end) : '', total: all.length,
      seconds: all.reduce((s, c) => s + c.seconds, 0), agents: [...new Set(world.calls.map((c) => c.agent))].sort(), states,
    }
  }

  function queue() {
    const running = world.calls.filter((c) => c.state === 'running')
    const queued = world.calls.filter((c) => c.state === 'queued')
    const people = world.calls.filter((c) => ['no_funds', 'needs_owner', 'failed', 'quarantined'].includes(c.state))
    return {
      paused: world.paused,
      lanes: [
        { name: 'net', waiting: 1, running: 0, oldestSeconds: 12, audioSeconds: 185 },
        { name: 'speech', waiting: queued.length, running: running.length, oldestSeconds: 64, audioSeconds: 48 },
        { name: 'llm', waiting: 0, running: 0, oldestSeconds: 0, audioSeconds: 0 },
      ],
      groups: [
        { priority: 1, waiting: 0, audioSeconds: 0, etaSeconds: 0 },
        { priority: 2, waiting: queued.length, audioSeconds: 48, etaSeconds: 65 },
        { priority: 3, waiting: world.calls.length ? 41 : 0, audioSeconds: 12_000, etaSeconds: 540 },
        { priority: 4, waiting: world.calls.length ? 1840 : 0, audioSeconds: 763_200, etaSeconds: 61_000 },
      ],
      working: running.map((c) => ({ callId: c.id, title: c.title, step: c.step, seconds: c.seconds, done: c.progress?.done ?? 0, total: c.progress?.total ?? 0, since: Date.now() - 60_000, etaSeconds: c.etaSeconds })),
      people: [
        ...people.map((c) => ({ kind: 'call', id: c.id, title: c.title, problem: c.problem, state: c.state })),
        ...world.connections.filter((c) => c.state === 'needs_owner').map((c) => ({ kind: 'connection', id: c.id, title: c.name, problem: c.problem, state: c.state })),
      ],
      speech: world.speech, gpus: world.gpus, gpuProblem: world.gpuProblem,
    }
  }

  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      for (const s of streams) s.destroy()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

function days() {
  return [23, 34, 31, 44, 39, 9, 6, 36, 45, 42, 49, 43, 8, 4].map((fc, i) => {
    const d = new Date(Date.now() - (13 - i) * 86_400_000)
    return { day: `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, '0')}-${String(d.getDate()).padStart(2, '0')}`, units: String(BigInt(fc) * FC + 12_345n) }
  })
}

async function body(req) {
  const parts = []
  let size = 0
  for await (const part of req) {
    size += part.length
    if (size > MAX_BODY) throw new Error('body too long')
    parts.push(part)
  }
  return size ? JSON.parse(Buffer.concat(parts).toString()) : {}
}

function json(res, status, value) {
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  res.end(JSON.stringify(value))
}

const done = (res) => void res.writeHead(204).end()
const fail = (res, status, code, message) => json(res, status, { error: { code, message } })

function audio(req, res, wav) {
  const range = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '')
  const start = range ? Number(range[1] || 0) : 0
  const end = range && range[2] ? Math.min(Number(range[2]), wav.length - 1) : wav.length - 1
  if (start >= wav.length) return void res.writeHead(416, { 'Content-Range': `bytes */${wav.length}` }).end()
  res.writeHead(range ? 206 : 200, {
    'Content-Type': 'audio/wav', 'Accept-Ranges': 'bytes', 'Content-Length': end - start + 1,
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${wav.length}` } : {}),
  })
  res.end(wav.subarray(start, end + 1))
}

// A page like a CRM's: rules on every button, another rem, and a define() that
// looks like RequireJS.
const HOST_SCRIPT = 'window.defined = 0; window.define = Object.assign(() => window.defined++, { amd: true })'

function page(res, call) {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
  res.end(`<!doctype html><html lang="ru" style="font-size: 7px"><title>CRM</title><style>button { display: none !important } * { letter-spacing: 3px }</style>
<script src="/mock/host.js"></script><script src="/fly-call.js"></script>
<div style="width: 900px; height: 600px"><fly-call call-id="${encodeURIComponent(call)}" base="http://${res.req.headers.host}"></fly-call></div>`)
}

function script(res, text) {
  res.writeHead(200, { 'Content-Type': 'text/javascript' })
  res.end(text)
}

function file(res, path) {
  let name = join(DIST, normalize(path).replace(/^(\.\.[/\\])+/, ''))
  if (!existsSync(name) || !statSync(name).isFile()) name = join(DIST, 'index.html')
  if (!existsSync(name)) return fail(res, 404, 'not_built', 'UI не собран: npm run build в web/ui.')
  res.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP })
  createReadStream(name).pipe(res)
}
