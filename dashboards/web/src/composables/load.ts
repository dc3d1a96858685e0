/** Loading something with its error; an answer that was overtaken by a newer request is dropped. */

import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { ApiProblem } from '@/api/client'

export interface Loading<T> {
  data: ShallowRef<T | null>
  problem: ShallowRef<ApiProblem | null>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

export function useLoad<T>(fetch: () => Promise<T>): Loading<T> {
  const data = shallowRef<T | null>(null)
  const problem = shallowRef<ApiProblem | null>(null)
  const loading = ref(false)
  let turn = 0
  let gone = false
  onScopeDispose(() => (gone = true))

  async function reload(): Promise<void> {
    const mine = (turn += 1)
    loading.value = true
    try {
      const got = await fetch()
      if (mine !== turn || gone) return
      data.value = got
      problem.value = null
    } catch (error) {
      if (mine !== turn || gone) return
      problem.value = ApiProblem.from(error)
    } finally {
      if (mine === turn) loading.value = false
    }
  }
  return { data, problem, loading, reload }
}
