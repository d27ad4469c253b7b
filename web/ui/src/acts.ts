import { useToast } from '@nuxt/ui/composables'
import { ref } from 'vue'
import { words } from '@/api/api'

/** Runs what a button does: one at a time, success and refusal told in a toast; say and warn tell what happened elsewhere. */
export function useAct() {
  const toast = useToast()
  const busy = ref(false)

  const warn = (title: string) => void toast.add({ title, color: 'error', icon: 'i-lucide-circle-alert' })
  const say = (title: string) => void toast.add({ title, color: 'success', icon: 'i-lucide-check' })

  async function act<T>(work: () => Promise<T>, done?: string | ((answer: T) => string)): Promise<T | undefined> {
    if (busy.value) return undefined
    busy.value = true
    try {
      const answer = await work()
      const title = typeof done === 'function' ? done(answer) : done
      if (title) say(title)
      return answer
    } catch (error) {
      warn(words(error))
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { act, busy, say, warn }
}
