/** What the server sends. Times are Unix ms, lengths seconds, amounts decimal strings of ledger units. */

export type Units = string
export type State = 'found' | 'waiting' | 'queued' | 'running' | 'no_funds' | 'needs_owner' | 'done' | 'failed' | 'quarantined' | 'cancelled'
export type Step = 'detect' | 'fetch' | 'transcribe' | 'analyse' | 'deliver'
export type Tone = 'positive' | 'neutral' | 'negative'
export type Kind = 'greeting' | 'farewell' | 'profanity' | 'negativity'
export type Speaker = 'agent' | 'client' | 'unknown'

export interface Session {
  login: string
  role: string
  version: string
  demo: boolean
}

export interface CallRow {
  id: string
  connection: { id: string; name: string }
  direction: 'in' | 'out' | ''
  phone: string
  agent: string
  title: string
  startedAt: number
  seconds: number
  state: State
  step: Step
  problem: string
  remark: string
  summary: string
  tone: Tone | ''
  by: string
  tags: string[]
  verdicts: { kind: Kind; found: boolean }[]
  progress: { done: number; total: number } | null
  position: number | null
  etaSeconds: number | null
  price: Units
  charged: Units | null
}

export interface Word {
  text: string
  start: number
  end: number
}

export interface Turn {
  speaker: Speaker
  channel: number
  start: number
  end: number
  text: string
  words: Word[]
}

export interface Verdict {
  kind: Kind
  found: boolean
  speaker: Speaker | ''
  quote: string
  at: number
}

export type Field = 'summary' | 'tone' | 'tags' | 'verdict'

export interface Edit {
  field: Field
  value: string
  author: string
  at: number
}

export interface Understood {
  summary: string
  tone: Tone
  tags: string[]
  verdicts: Verdict[]
}

export interface Analysis extends Understood {
  by: string
  edits: Edit[]
  original: Understood
}

export interface Recording {
  format: string
  rate: number
  channels: number
  seconds: number
  bytes: number
  truncated: boolean
  misnamed: boolean
  keptUntil: number | null
  available: boolean
}

export interface Note {
  cardKind: string
  cardId: string
  cardTitle: string
  cardUrl: string
  written: boolean
}

export interface Call extends CallRow {
  notes: Note[]
  recording: Recording | null
  peaks: number[][]
  agentChannel: 0 | 1
  turns: Turn[]
  model: string
  language: string
  analysis: Analysis | null
  history: { at: number; actor: string; state: State; step: Step; problem: string }[]
  held: Units | null
}

export interface CallPage {
  calls: CallRow[]
  next: string
  total: number
  seconds: number
  agents: string[]
  states: Partial<Record<State, number>>
}

export interface Balance {
  available: Units
  held: Units
  spent: Units
  secondsLeft: number
  heldCalls: number
  daily: { day: string; units: Units }[]
  check: { at: number | null; seq: number; ok: boolean; problem: string }
  tariff: { perSecond: Units; minSeconds: number; summary: Units }
  installation: string
}

export interface Operation {
  seq: number
  at: number
  kind: 'credit' | 'hold' | 'capture' | 'release'
  units: Units // without a sign; the kind says which way it went
  callId: string
  title: string
  seconds: number
  ref: string
}

export type LaneName = 'net' | 'speech' | 'llm'

export interface Queue {
  paused: boolean
  lanes: { name: LaneName; waiting: number; running: number; oldestSeconds: number; audioSeconds: number }[]
  groups: { priority: 1 | 2 | 3 | 4; waiting: number; audioSeconds: number; etaSeconds: number | null }[]
  working: { callId: string; title: string; step: Step; seconds: number; done: number; total: number; since: number; etaSeconds: number | null }[]
  people: { kind: 'call' | 'connection'; id: string; title: string; problem: string; state: string }[]
  speech: {
    state: 'starting' | 'ready' | 'busy' | 'down'
    model: string
    demo: boolean
    backend: string
    device: string
    realtime: number
    restarts: number
    since: number | null
    lastLines: string[]
  }
  gpus: { name: string; utilisation: number; memoryUsed: number; memoryTotal: number; temperature: number }[]
  gpuProblem: string
}

export interface Connection {
  id: string
  vendor: string
  name: string
  host: string
  state: 'active' | 'needs_owner' | 'off'
  problem: string
  automatic: boolean
  agentChannelIn: number
  agentChannelOut: number
  onPremHosts: string[]
  lastPollAt: number | null
  calls: number
  authorizeUrl?: string // the consent page, while there is no access
}

export interface NewConnection {
  vendor: 'amocrm'
  host: string
  clientId: string
  clientSecret: string
  redirectUri: string
  code?: string
  token?: string
}

export type ConnectionChange = Partial<Pick<Connection, 'name' | 'automatic' | 'agentChannelIn' | 'agentChannelOut' | 'onPremHosts'>> & { on?: boolean }
