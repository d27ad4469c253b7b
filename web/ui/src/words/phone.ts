/** «+7 916 555-12-40» of a Russian number; anything else stays as the CRM wrote it. */
export function phone(written: string): string {
  const parts = /^(?:\+7|8)(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(written.replace(/[\s()-]/g, ''))
  return parts ? `+7\u00a0${parts[1]}\u00a0${parts[2]}-${parts[3]}-${parts[4]}` : written
}
