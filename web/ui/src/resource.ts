import { ref, type Ref, shallowRef } from 'vue'
import { words } from '@/api/api'

export interface Resource<T> {
  data: Ref<T | undefined> // the last good answer stays while a new one is loaded
  problem: Ref<string> // of the last try, "" if it went well
  loading: Ref<boolean>
  load(): Promise<void>
}

/** Something read from the server; an answer that a newer question overtook is dropped. */
export function useResource<T>(ask: () => Promise<T>): Resource<T> {
  const data = shallowRef<T>()
  const problem = ref('')
  const loading = ref(false)
  let latest = 0

  async function load() {
    const mine = ++latest
    loading.value = true
    try {
      const answer = await ask()
      if (mine !== latest) return
      data.value = answer
      problem.value = ''
    } catch (error) {
      if (mine === latest) problem.value = words(error)
    } finally {
      if (mine === latest) loading.value = false
    }
  }

  return { data, problem, loading, load }
}
