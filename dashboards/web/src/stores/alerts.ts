/** Open alerts as they come: the bell, the sound and the number in the title. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef, triggerRef, watch } from 'vue'
import { api } from '@/api/client'
import type { AlertRow, LiveData, Severity } from '@/api/types'
import { i18n } from '@/i18n'
import { beep } from '@/live/sound'
import { useLiveStore } from './live'

const MUTED = 'lantian.muted'
const SEEN = 'lantian.alertsSeen'
const RANK: Record<Severity, number> = { low: 0, normal: 1, high: 2, urgent: 3 }

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}
function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Kept for this tab only.
  }
}

export const useAlerts = defineStore('alerts', () => {
  /** Open and acknowledged alerts by id, newest state. */
  const byId = shallowRef(new Map<number, AlertRow>())
  const head = ref(0)
  const openCount = ref(0)
  const unseen = ref(new Set<number>())
  const muted = ref(read(MUTED) === 'yes')
  const changed = shallowRef<AlertRow[]>([])
  let watched = false
  let leave: (() => void) | null = null

  function start(): void {
    if (leave) return
    leave = useLiveStore().subscribe({ topic: 'alerts', onData: receive, onGap: () => void catchUp() })
  }

  function stop(): void {
    leave?.()
    leave = null
    byId.value = new Map()
    unseen.value = new Set()
    head.value = 0
    openCount.value = 0
  }

  function receive(data: LiveData, type: 'snapshot' | 'delta'): void {
    if (data.topic !== 'alerts') return
    head.value = Math.max(head.value, data.head)
    openCount.value = data.open
    if (type === 'snapshot') {
      const known = byId.value
      byId.value = new Map(data.alerts.map((row) => [row.id, row]))
      const since = Number(read(SEEN) ?? '0')
      const fresh = data.alerts.filter((row) => row.state === 'open' && !known.has(row.id) && Date.parse(row.raised) > since)
      if (!watched) unseen.value = new Set([...unseen.value, ...fresh.map((row) => row.id)])
      changed.value = data.alerts
      return
    }
    take(data.alerts)
  }

  function take(rows: AlertRow[]): void {
    let worst: AlertRow['severity'] | null = null
    for (const row of rows) {
      const isNew = row.state === 'open' && !byId.value.has(row.id)
      if (row.state === 'open' || row.state === 'acknowledged') byId.value.set(row.id, row)
      else byId.value.delete(row.id)
      if (isNew) {
        if (!watched || document.hidden) unseen.value.add(row.id)
        if (worst === null || RANK[row.severity] > RANK[worst]) worst = row.severity
      } else if (row.state !== 'open') {
        unseen.value.delete(row.id)
      }
    }
    triggerRef(byId)
    changed.value = rows
    if (worst && !muted.value) beep(worst)
  }

  /** After a gap: everything that changed since the last one we know. */
  async function catchUp(): Promise<void> {
    for (let page = 0; page < 20; page += 1) {
      const got = await api.alerts({ after_seq: head.value, limit: 200 }).catch(() => null)
      if (!got || got.items.length === 0) return
      head.value = Math.max(head.value, ...got.items.map((row) => row.seq))
      take(got.items)
      if (got.items.length < 200) return
    }
  }

  /** The alert table is in front of somebody: what comes is seen. */
  function look(isWatched: boolean): void {
    watched = isWatched
    if (!isWatched) return
    unseen.value = new Set()
    write(SEEN, String(Date.now()))
  }

  function toggleSound(): void {
    muted.value = !muted.value
    write(MUTED, muted.value ? 'yes' : 'no')
    if (!muted.value) beep('low')
  }

  const unread = computed(() => unseen.value.size)
  const language = computed(() => i18n.global.locale.value)
  watch([unread, language], () => {
    const name = i18n.global.t('app.name')
    document.title = unread.value > 0 ? `(${unread.value}) ${name}` : name
  }, { immediate: true })

  return { byId, head, openCount, unread, muted, changed, start, stop, look, toggleSound }
})
