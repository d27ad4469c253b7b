import { group } from './plural'

/** Ledger units in one Flycoin. Amounts travel as decimal strings of units. */
export const UNITS_PER_FC = 360_000n

const UNITS_PER_CENT = UNITS_PER_FC / 100n

/** «963,07», rounded down to 0.01 FC: a screen never promises more than there is. */
export function fc(units: string | bigint): string {
  return cents(BigInt(units), (n) => n / UNITS_PER_CENT)
}

/** «14,01», rounded up: enough to pay what is missing. */
export function fcUp(units: string | bigint): string {
  return cents(BigInt(units), (n) => (n + UNITS_PER_CENT - 1n) / UNITS_PER_CENT)
}

/** As fc, without «,00» for whole Flycoins. */
export function fcShort(units: string | bigint): string {
  return fc(units).replace(/,00$/, '')
}

/** What is missing to price, 0n if available covers it. */
export function missing(price: string, available: string): bigint {
  const lack = BigInt(price) - BigInt(available)
  return lack > 0n ? lack : 0n
}

function cents(units: bigint, divide: (positive: bigint) => bigint): string {
  const negative = units < 0n
  const n = divide(negative ? -units : units)
  const text = `${group(String(n / 100n))},${String(n % 100n).padStart(2, '0')}`
  return negative && n > 0n ? `−${text}` : text
}
