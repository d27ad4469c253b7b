import type { Turn, Word } from '@/api/types'

/** Seeking lands a little before the time asked for; a turn may light up that much earlier. */
const EARLY = 0.06 // seconds

/**
 * The turn that sounds at a time, -1 before the first one. When both speak,
 * it is the one who began later; in a pause it stays the one who spoke last.
 */
export function turnAt(turns: Turn[], time: number): number {
  const t = time + EARLY
  let last = -1
  let sounding = -1
  for (let i = 0; i < turns.length && turns[i].start <= t; i++) {
    last = i
    if (turns[i].end > t) sounding = i
  }
  return sounding >= 0 ? sounding : last
}

/** How much of a word has sounded, 0..1. */
export function said(word: Word, time: number): number {
  if (time <= word.start) return 0
  if (time >= word.end) return 1
  return (time - word.start) / (word.end - word.start)
}
