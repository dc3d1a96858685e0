/** A filter that lives in the address, so that every view can be linked and the back button works. */

import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

export function useAddress() {
  const route = useRoute()
  const router = useRouter()

  function text(name: string, fallback = ''): WritableComputedRef<string> {
    return computed({
      get: () => {
        const value = route.query[name]
        return typeof value === 'string' ? value : fallback
      },
      set: (value) => set({ [name]: value === fallback ? '' : value }),
    })
  }

  /** Sets several at once; an empty one leaves the address. */
  function set(values: Record<string, string | undefined | null>): void {
    const query: Record<string, string> = {}
    for (const [key, value] of Object.entries({ ...route.query, ...values })) {
      if (typeof value === 'string' && value !== '') query[key] = value
    }
    void router.replace({ query })
  }

  return { text, set }
}
