/** Runs once things have been quiet for a moment, at the latest after four such moments. */

import { onScopeDispose } from 'vue'

export function useDebounced(run: () => void, ms = 400): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null
  let since = 0
  onScopeDispose(() => {
    if (timer) clearTimeout(timer)
  })
  return () => {
    const now = Date.now()
    if (timer) {
      if (now - since > ms * 4) return
      clearTimeout(timer)
    } else {
      since = now
    }
    timer = setTimeout(() => {
      timer = null
      run()
    }, ms)
  }
}
