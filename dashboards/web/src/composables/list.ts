/** A list by pages: the first page by filter, further ones by cursor, nothing kept twice. */

import { onScopeDispose, ref, shallowRef } from 'vue'
import { ApiProblem } from '@/api/client'

export interface ListPage<T> {
  items: T[]
  next?: string | null
  total?: number | null
}

export function useList<T, P extends ListPage<T>>(fetch: (cursor?: string) => Promise<P>, keyOf: (row: T) => string | number = (row) => (row as { id: number }).id) {
  const items = shallowRef<T[]>([])
  const next = ref<string | null>(null)
  const total = ref<number | null>(null)
  const first = shallowRef<P | null>(null)
  const loading = ref(false)
  const problem = shallowRef<ApiProblem | null>(null)
  let turn = 0
  onScopeDispose(() => (turn = -1))

  async function get(cursor?: string): Promise<void> {
    if (turn < 0) return
    const mine = (turn += 1)
    loading.value = true
    try {
      const page = await fetch(cursor)
      if (mine !== turn) return
      if (cursor === undefined) {
        items.value = page.items
        first.value = page
      } else {
        const known = new Set(items.value.map(keyOf))
        items.value = [...items.value, ...page.items.filter((one) => !known.has(keyOf(one)))]
      }
      next.value = page.next ?? null
      if (page.total !== undefined) total.value = page.total
      problem.value = null
    } catch (error) {
      if (mine === turn) problem.value = ApiProblem.from(error)
    } finally {
      if (mine === turn) loading.value = false
    }
  }

  return {
    items, next, total, first, loading, problem,
    reload: () => get(),
    more: () => (next.value ? get(next.value) : Promise.resolve()),
  }
}
