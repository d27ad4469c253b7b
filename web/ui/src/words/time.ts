import { count } from './plural'

const DAY = 86_400_000

/** A place in a recording: 0:44, 12:05, 1:02:09. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const h = Math.floor(s / 3600)
  return h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`
}

/** The same place for a screen reader: «1 минута 5 секунд». */
export function clockWords(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  const minutes = Math.floor(s / 60)
  const rest = count(s % 60, 'секунда', 'секунды', 'секунд')
  return minutes > 0 ? `${count(minutes, 'минута', 'минуты', 'минут')} ${rest}` : rest
}

/** A length of work in short words: «40 с», «3 мин», «6 ч 25 мин», rounded down. */
export function length(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  if (s < 60) return `${s}\u00a0с`
  const h = Math.floor(s / 3600)
  const m = Math.floor(s / 60) % 60
  if (h === 0) return `${m}\u00a0мин`
  return m === 0 || h >= 100 ? `${h}\u00a0ч` : `${h}\u00a0ч ${m}\u00a0мин`
}

/** How long something will still take: «около 40 с», «около минуты», «около 3 мин». */
export function about(seconds: number): string {
  if (seconds < 10) return 'несколько секунд'
  if (seconds < 55) return `около ${Math.round(seconds / 5) * 5}\u00a0с`
  if (seconds < 90) return 'около минуты'
  return `около ${length(seconds + 30)}`
}

/** «12:41» */
export function hours(at: number): string {
  return new Date(at).toLocaleTimeString('ru', { hour: '2-digit', minute: '2-digit' })
}

/** «21 ноя 12:46», «сегодня 12:46», with the year if it is another one. */
export function moment(at: number, now = Date.now()): string {
  const days = daysBetween(at, now)
  if (days === 0) return `сегодня ${hours(at)}`
  if (days === 1) return `вчера ${hours(at)}`
  return `${shortDay(at, now)} ${hours(at)}`
}

/** «21 ноя», with the year if it is another one. */
export function shortDay(at: number, now = Date.now()): string {
  const date = new Date(at)
  const year = date.getFullYear() === new Date(now).getFullYear() ? '' : ` ${date.getFullYear()}`
  return `${date.getDate()} ${MONTHS[date.getMonth()]}${year}`
}

/** The heading over a day's calls: «Сегодня», «Вчера», «19 ноября, четверг». */
export function dayHeading(at: number, now = Date.now()): string {
  const days = daysBetween(at, now)
  if (days === 0) return 'Сегодня'
  if (days === 1) return 'Вчера'
  const date = new Date(at)
  const sameYear = date.getFullYear() === new Date(now).getFullYear()
  const day = date.toLocaleDateString('ru', { day: 'numeric', month: 'long', ...(sameYear ? {} : { year: 'numeric' }) })
  return `${day}, ${date.toLocaleDateString('ru', { weekday: 'long' })}`
}

/** «только что», «5 мин назад», «сегодня 12:46». */
export function ago(at: number, now = Date.now()): string {
  const seconds = (now - at) / 1000
  if (seconds < 60) return 'только что'
  if (seconds < 3600) return `${length(seconds)} назад`
  return moment(at, now)
}

/** Midnight that begins the day of a moment, local time. */
export function dayStart(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0)
}

function daysBetween(at: number, now: number): number {
  return Math.round((dayStart(now) - dayStart(at)) / DAY) // rounded: a day may have 23 or 25 hours
}

const MONTHS = ['янв', 'фев', 'мар', 'апр', 'мая', 'июн', 'июл', 'авг', 'сен', 'окт', 'ноя', 'дек']
