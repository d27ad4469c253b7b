/** Thin no-break space: between groups of digits and before units. */
export const THIN = '\u202f'

/** The Russian form that goes with n: 1 звонок, 2 звонка, 5 звонков. */
export function plural(n: number, one: string, few: string, many: string): string {
  const whole = Math.abs(Math.trunc(n))
  const tens = whole % 100
  const last = whole % 10
  if (tens > 10 && tens < 20) return many
  if (last === 1) return one
  if (last > 1 && last < 5) return few
  return many
}

/** A whole number with thin spaces: 18 402. */
export function number(n: number): string {
  return group(String(Math.trunc(n)))
}

/** The number with its noun: «128 звонков». */
export function count(n: number, one: string, few: string, many: string): string {
  return `${number(n)}\u00a0${plural(n, one, few, many)}`
}

/** Puts thin spaces between groups of three digits. */
export function group(digits: string): string {
  return digits.replace('-', '−').replace(/\B(?=(\d{3})+$)/g, THIN)
}
