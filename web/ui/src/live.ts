import { onBeforeUnmount, ref } from 'vue'

/** What the server announces; "all" comes after a lost connection, when anything may have changed. */
export type Topic = 'call' | 'balance' | 'queue'
type Listener = (topic: Topic | 'all', callId: string) => void

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 30_000
const GATHER_MS = 300 // announcements that come together cause one reload

/** False while the stream is down and being opened again. */
export const connected = ref(true)

const listeners = new Set<Listener>()
let source: EventSource | null = null
let retry: ReturnType<typeof setTimeout> | undefined
let wait = FIRST_WAIT_MS
let missed = false

/** Opens the stream of announcements; needs a session. */
export function goLive() {
  if (source) return
  source = new EventSource('/api/v1/events')
  source.onopen = () => {
    wait = FIRST_WAIT_MS
    connected.value = true
    if (missed) tell('all', '')
    missed = false
  }
  source.onerror = () => {
    connected.value = false
    missed = true
    // The browser gives up for good after an error answer, so we ask again ourselves.
    close()
    retry = setTimeout(goLive, wait)
    wait = Math.min(2 * wait, LONGEST_WAIT_MS)
  }
  for (const topic of ['call', 'balance', 'queue'] as const) {
    source.addEventListener(topic, (event) => tell(topic, callId((event as MessageEvent<string>).data)))
  }
}

/** Closes the stream, at sign-out. */
export function goQuiet() {
  close()
  connected.value = true
  missed = false
}

function close() {
  clearTimeout(retry)
  source?.close()
  source = null
}

function tell(topic: Topic | 'all', id: string) {
  for (const listener of listeners) listener(topic, id)
}

function callId(data: string): string {
  try {
    return JSON.parse(data)?.id ?? ''
  } catch {
    return ''
  }
}

/** Runs reload while the component lives, soon after an announcement of one of the topics. */
export function useLive(topics: Topic[], reload: () => unknown, onlyCall?: () => string) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const listener: Listener = (topic, id) => {
    if (topic !== 'all' && !topics.includes(topic)) return
    if (topic === 'call' && onlyCall && id && id !== onlyCall()) return
    timer ??= setTimeout(() => {
      timer = undefined
      reload()
    }, GATHER_MS)
  }
  listeners.add(listener)
  onBeforeUnmount(() => {
    listeners.delete(listener)
    clearTimeout(timer)
  })
}
