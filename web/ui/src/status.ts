import { useResource } from '@/resource'
import { api } from '@/session'

// What several screens show at once: the sidebar and the pages of balance and queue.

export const balance = useResource(() => api.balance())
export const queue = useResource(() => api.queue())
export const connections = useResource(() => api.connections())

/** Forgets all of it, at sign-out. */
export function forget() {
  balance.data.value = undefined
  queue.data.value = undefined
  connections.data.value = undefined
}
