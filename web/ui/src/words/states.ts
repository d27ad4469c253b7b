import type { CallRow, Kind, State, Step, Tone } from '@/api/types'
import { about, length } from './time'
import { THIN } from './plural'

/** Colours as Nuxt UI names them. */
export type Colour = 'primary' | 'secondary' | 'success' | 'warning' | 'error' | 'neutral'

export const STATES: Record<State, { label: string; colour: Colour }> = {
  found: { label: 'не распознан', colour: 'neutral' },
  waiting: { label: 'ждёт запись', colour: 'warning' },
  queued: { label: 'в очереди', colour: 'neutral' },
  running: { label: 'в работе', colour: 'primary' },
  no_funds: { label: 'нет средств', colour: 'warning' },
  needs_owner: { label: 'нужны вы', colour: 'warning' },
  done: { label: 'готово', colour: 'success' },
  failed: { label: 'ошибка', colour: 'error' },
  quarantined: { label: 'отложен', colour: 'error' },
  cancelled: { label: 'отменён', colour: 'neutral' },
}

export const STEPS: Record<Step, string> = {
  detect: 'ищем запись',
  fetch: 'скачивается',
  transcribe: 'распознаётся',
  analyse: 'составляется итог',
  deliver: 'записывается в CRM',
}

export const TONES: Record<Tone, { label: string; colour: Colour }> = {
  positive: { label: 'позитивная', colour: 'success' },
  neutral: { label: 'нейтральная', colour: 'neutral' },
  negative: { label: 'негативная', colour: 'error' },
}

/** What a classifier looks for. good: its absence is what a manager looks at; otherwise its presence. */
export const KINDS: Record<Kind, { label: string; good: boolean }> = {
  greeting: { label: 'приветствие', good: true },
  farewell: { label: 'прощание', good: true },
  profanity: { label: 'мат', good: false },
  negativity: { label: 'негатив', good: false },
}

/** A call that somebody can still stop. */
export function underway(state: State): boolean {
  return state === 'waiting' || state === 'queued' || state === 'running' || state === 'needs_owner'
}

/** The line that stands where the summary will be. */
export function outlook(call: CallRow): string {
  switch (call.state) {
    case 'found':
      return 'Ещё не распознан. Откройте и запустите, если нужен.'
    case 'waiting':
      return call.problem || 'АТС ещё не сохранила запись. Проверим снова сами.'
    case 'queued': {
      const place = call.position ? `В очереди ${call.position}-й` : 'В очереди'
      return call.etaSeconds === null ? place : `${place}, начнём через ${aboutGenitive(call.etaSeconds)}`
    }
    case 'running': {
      const step = STEPS[call.step][0].toUpperCase() + STEPS[call.step].slice(1)
      return call.etaSeconds === null ? step : `${step}, ещё ${about(call.etaSeconds)}`
    }
    case 'no_funds':
      return call.problem || 'Не хватает средств. Пополните баланс и запустите вручную.'
    case 'cancelled':
      return call.problem || 'Распознавание отменено.'
    case 'done':
      return call.summary || 'Речи в записи не нашлось.'
    default:
      return call.problem || 'Не получилось распознать. Откройте звонок, чтобы узнать почему.'
  }
}

/** Share of the work done, 0..100, or null while nobody knows. */
export function percent(progress: { done: number; total: number } | null): number | null {
  return progress && progress.total > 0 ? Math.min(100, (100 * progress.done) / progress.total) : null
}

/** «1,4 ГБ» of bytes. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1).replace('.', ',')}${THIN}ГБ`
}

function aboutGenitive(seconds: number): string {
  if (seconds < 10) return 'несколько секунд'
  if (seconds < 55) return `${Math.round(seconds / 5) * 5}\u00a0с`
  if (seconds < 90) return 'минуту'
  return length(seconds + 30)
}
