import { shallowRef } from 'vue'
import { Api } from '@/api/api'
import type { Session } from '@/api/types'

/** The appliance this page came from. */
export const api = new Api()

/** Who is signed in; null before anybody is. */
export const session = shallowRef<Session | null>(null)
