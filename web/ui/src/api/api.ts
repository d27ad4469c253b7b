import type {
  Analysis, Balance, Call, CallPage, CallRow, Connection, ConnectionChange, Field, NewConnection, Operation, Queue, Session, Units,
} from './types'

/** Longest wait for an answer; everything the server does slowly, it does in the background. */
const TIMEOUT_MS = 30_000

/** After this long without a touch, a page that reloads itself no longer keeps the session alive. */
const UNATTENDED_MS = 60_000
let touched = Date.now()
for (const event of ['pointerdown', 'keydown', 'wheel']) addEventListener(event, () => (touched = Date.now()), { capture: true, passive: true })
const unattended = () => Date.now() - touched > UNATTENDED_MS

/** A refusal in words that a person can act on. */
export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: the server was not reached
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** The words of any error, for a screen. */
export function words(error: unknown): string {
  return error instanceof ApiError ? error.message : 'Что-то пошло не так на этой странице. Обновите её и попробуйте ещё раз.'
}

export interface CallFilter {
  q?: string
  state?: string
  tone?: string
  agent?: string
  connection?: string
  tag?: string
  from?: number
  to?: number
  cursor?: string
  limit?: number
}

/**
 * The server's routes, one line each. base is the origin of another server
 * ("" for our own); with a token requests carry it instead of the cookie.
 */
export class Api {
  onSignedOut?: (code: string) => void

  constructor(
    private readonly base = '',
    private readonly token = '',
  ) {}

  session = () => this.ask<Session>('GET', '/session')
  setup = (code: string, login: string, password: string) => this.ask<Session>('POST', '/setup', { code, login, password })
  login = (login: string, password: string) => this.ask<Session>('POST', '/login', { login, password })
  logout = () => this.ask<void>('POST', '/logout')

  calls = (filter: CallFilter) => this.ask<CallPage>('GET', '/calls' + query({ ...filter }))
  call = (id: string) => this.ask<Call>('GET', `/calls/${enc(id)}`)
  edit = (id: string, field: Field, value: string) => this.ask<Analysis>('PATCH', `/calls/${enc(id)}/analysis`, { field, value })
  start = (id: string) => this.ask<CallRow>('POST', `/calls/${enc(id)}/start`)
  cancel = (id: string) => this.ask<void>('POST', `/calls/${enc(id)}/cancel`)
  refetch = (id: string) => this.ask<void>('POST', `/calls/${enc(id)}/refetch`)
  remove = (id: string) => this.ask<void>('DELETE', `/calls/${enc(id)}`)

  balance = () => this.ask<Balance>('GET', '/balance')
  operations = (cursor = '') => this.ask<{ operations: Operation[]; next: string }>('GET', '/operations' + query({ cursor }))
  loadPack = (token: string) => this.ask<{ units: Units; already: boolean }>('POST', '/packs', { token })

  queue = () => this.ask<Queue>('GET', '/queue')
  pause = () => this.ask<void>('POST', '/queue/pause')
  resume = () => this.ask<void>('POST', '/queue/resume')

  connections = () => this.ask<{ connections: Connection[]; redirectUri: string }>('GET', '/connections')
  connect = (c: NewConnection) => this.ask<Connection>('POST', '/connections', c)
  change = (id: string, c: ConnectionChange) => this.ask<Connection>('PATCH', `/connections/${enc(id)}`, c)
  reconnect = (id: string, access: { code?: string; token?: string }) =>
    this.ask<Connection>('POST', `/connections/${enc(id)}/reconnect`, access)
  check = (id: string) => this.ask<Connection>('POST', `/connections/${enc(id)}/check`)
  disconnect = (id: string) => this.ask<void>('DELETE', `/connections/${enc(id)}`)
  archive = (id: string, from: number, to: number) =>
    this.ask<{ count: number; seconds: number; units: Units }>('GET', `/connections/${enc(id)}/archive` + query({ from, to }))
  startArchive = (id: string, from: number, to: number) =>
    this.ask<{ started: number }>('POST', `/connections/${enc(id)}/archive`, { from, to })

  /** Addresses for <audio> and for downloads, which cannot carry a header. */
  audioUrl = (id: string) => this.url(`/calls/${enc(id)}/audio`) + query({ token: this.token })
  transcriptUrl = (id: string, format: 'txt' | 'json' | 'srt' | 'vtt') =>
    this.url(`/calls/${enc(id)}/transcript.${format}`) + query({ token: this.token })

  private url(path: string): string {
    return `${this.base.replace(/\/+$/, '')}/api/v1${path}`
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (this.token) headers.Authorization = `Bearer ${this.token}`
    else if (method === 'GET' && unattended()) headers['X-Flysense-Unattended'] = '1'
    let response: Response
    try {
      response = await fetch(this.url(path), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: this.token ? 'omit' : 'same-origin',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
    } catch (error) {
      const slow = error instanceof DOMException && error.name === 'TimeoutError'
      throw new ApiError(0, 'offline', slow ? 'Сервер не ответил за полминуты. Попробуйте ещё раз.' : 'Нет связи с сервером FlySense. Проверьте сеть и попробуйте ещё раз.')
    }
    if (response.ok) return response.status === 204 ? (undefined as T) : answer<T>(response)
    const refusal = await reason(response)
    if (response.status === 401) this.onSignedOut?.(refusal.code)
    throw refusal
  }
}

async function answer<T>(response: Response): Promise<T> {
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}

async function reason(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null)
  const { code, message } = body?.error ?? {}
  return new ApiError(response.status, code ?? 'error', message ?? `Сервер ответил ошибкой ${response.status}. Попробуйте ещё раз чуть позже.`)
}

const enc = encodeURIComponent

function query(values: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return text ? `?${text}` : ''
}
