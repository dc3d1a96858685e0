/** The tab's one live connection, how late it is, and the health that comes over it. */

import { defineStore } from 'pinia'
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import type { Health, LiveData } from '@/api/types'
import { useNow } from '@/composables/now'
import { LiveSocket, type LiveState, type Subscriber, type Wire } from '@/live/socket'

export const useLiveStore = defineStore('live', () => {
  const state = ref<LiveState>('closed')
  const heardAt = ref(Date.now())
  const health = shallowRef<Health | null>(null)
  const healthAt = ref(0)
  const ended = ref(0)
  const now = useNow()

  const socket = new LiveSocket({
    open: () => {
      const address = new URL('/api/v1/live', window.location.href)
      address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
      return new WebSocket(address) as unknown as Wire
    },
    now: () => Date.now(),
    random: () => Math.random(),
    later: (run, ms) => window.setTimeout(run, ms),
    cancel: (timer) => window.clearTimeout(timer),
    onState: (next) => (state.value = next),
    onAlive: (_server, ours) => (heardAt.value = ours),
    onEnded: () => (ended.value += 1),
  })

  /** Seconds for which the server was not heard, plus what settling lags behind by the server's own word. */
  const delayS = computed(() => {
    const silence = Math.max(0, Math.floor((now.value - heardAt.value) / 1000))
    const lag = health.value && health.value.lag.settle_entries > 0 ? Math.floor(health.value.lag.seconds) : 0
    return silence + lag
  })
  const freshness = computed<'live' | 'late' | 'stale'>(() => (delayS.value >= 30 ? 'stale' : delayS.value >= 10 ? 'late' : 'live'))

  let leaveHealth: (() => void) | null = null

  function start(): void {
    heardAt.value = Date.now()
    leaveHealth ??= socket.subscribe({
      topic: 'health',
      onData: (data: LiveData) => {
        if (data.topic !== 'health') return
        health.value = data
        healthAt.value = Date.now()
      },
    })
    socket.start()
  }

  function stop(): void {
    leaveHealth?.()
    leaveHealth = null
    health.value = null
    socket.stop()
  }

  return { state, heardAt, health, ended, delayS, freshness, start, stop, subscribe: (s: Subscriber) => socket.subscribe(s) }
})

/** Subscribes for the life of a component. */
export function useLive(subscriber: Subscriber): void {
  const leave = useLiveStore().subscribe(subscriber)
  onScopeDispose(leave)
}
