/**
 * The one WebSocket of a tab. Everything live comes through it by topic; nothing polls.
 *
 * A topic starts with a snapshot, deltas follow with growing `seq`. When a number is missing, the server says `refetch`, or
 * the connection was away, the subscriber is told to fetch again (`onGap`). Reconnects wait 1–30 s with jitter.
 */

import type { LiveData, LiveFilter, LiveMessage, LiveRequest } from '@/api/types'

export interface Subscriber {
  topic: string
  filter?: LiveFilter
  onData: (data: LiveData, type: 'snapshot' | 'delta') => void
  /** Something was missed: fetch again by REST. */
  onGap?: () => void
}

interface Entry extends Subscriber {
  id: number
  seq: number | null
}

export type LiveState = 'connecting' | 'open' | 'closed'

/** The part of a WebSocket that is used, so that a test can stand in for it. */
export interface Wire {
  send(text: string): void
  close(): void
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
}

export interface LiveOptions {
  open: () => Wire
  now: () => number
  random: () => number
  later: (run: () => void, ms: number) => number
  cancel: (timer: number) => void
  onState?: (state: LiveState) => void
  /** Called with each sign of life of the server: its own clock, ours, in milliseconds. */
  onAlive?: (serverMs: number | null, ourMs: number) => void
  /** The server ended the session; nothing is tried again. */
  onEnded?: () => void
}

const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 30_000
/** Every ping is answered at once; after this long without a word the line is dead. */
const SILENCE_MS = 35_000
/** Often enough that a delay shows before it matters. */
const PING_MS = 4_000

/** Wait before attempt `attempt` (from 0): doubles from 1 s to 30 s, of which the upper half is random. */
export function retryDelayMs(attempt: number, random: number): number {
  const full = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(attempt, 10))
  return Math.max(RETRY_MIN_MS, Math.round(full / 2 + (full / 2) * random))
}

export class LiveSocket {
  private wire: Wire | null = null
  private entries = new Map<number, Entry>()
  private nextId = 1
  private attempt = 0
  private timer: number | null = null
  private heard = 0
  private isOpen = false
  private wanted = false
  private wasOpen = false

  constructor(private readonly options: LiveOptions) {}

  start(): void {
    if (this.wanted) return
    this.wanted = true
    this.attempt = 0
    this.connect()
  }

  stop(): void {
    this.wanted = false
    this.wasOpen = false
    this.clearTimer()
    this.drop()
    this.options.onState?.('closed')
  }

  /** Returns how to unsubscribe. */
  subscribe(subscriber: Subscriber): () => void {
    const entry: Entry = { ...subscriber, id: this.nextId, seq: null }
    this.nextId += 1
    this.entries.set(entry.id, entry)
    if (this.isOpen) this.sendSub(entry)
    return () => {
      if (!this.entries.delete(entry.id)) return
      if (this.isOpen) this.send({ op: 'unsub', id: entry.id })
    }
  }

  private connect(): void {
    if (!this.wanted) return
    this.options.onState?.('connecting')
    const wire = this.options.open()
    this.wire = wire
    wire.onopen = () => {
      if (this.wire !== wire) return
      this.isOpen = true
      this.attempt = 0
      this.heard = this.options.now()
      this.options.onState?.('open')
      this.options.onAlive?.(null, this.heard)
      const again = this.wasOpen
      this.wasOpen = true
      for (const entry of this.entries.values()) {
        entry.seq = null
        this.sendSub(entry)
        if (again) entry.onGap?.()
      }
      this.watch()
    }
    wire.onmessage = (event) => {
      if (this.wire === wire) this.receive(event.data)
    }
    wire.onclose = () => {
      if (this.wire === wire) this.lost()
    }
  }

  private receive(data: unknown): void {
    this.heard = this.options.now()
    let message: LiveMessage
    try {
      message = JSON.parse(String(data)) as LiveMessage
    } catch {
      return
    }
    this.options.onAlive?.('t' in message ? message.t : null, this.heard)
    switch (message.type) {
      case 'snapshot':
      case 'delta': {
        const entry = this.entries.get(message.id)
        if (!entry) return
        const missed = message.type === 'delta' && entry.seq !== null && message.seq > entry.seq + 1
        entry.seq = message.seq
        entry.onData(message.data, message.type)
        if (missed) entry.onGap?.()
        return
      }
      case 'refetch': {
        const entry = this.entries.get(message.id)
        if (!entry) return
        entry.seq = message.seq
        entry.onGap?.()
        return
      }
      case 'bye':
        if (message.code === 'session_ended') {
          this.stop()
          this.options.onEnded?.()
        }
    }
  }

  private watch(): void {
    this.clearTimer()
    this.timer = this.options.later(() => {
      if (!this.isOpen) return
      if (this.options.now() - this.heard > SILENCE_MS) {
        this.drop()
        this.lost()
        return
      }
      this.send({ op: 'ping' })
      this.watch()
    }, PING_MS)
  }

  private lost(): void {
    this.isOpen = false
    this.wire = null
    this.clearTimer()
    if (!this.wanted) return
    this.options.onState?.('connecting')
    const wait = retryDelayMs(this.attempt, this.options.random())
    this.attempt += 1
    this.timer = this.options.later(() => this.connect(), wait)
  }

  private drop(): void {
    const wire = this.wire
    this.wire = null
    this.isOpen = false
    if (!wire) return
    wire.onopen = null
    wire.onmessage = null
    wire.onclose = null
    wire.close()
  }

  private sendSub(entry: Entry): void {
    this.send({ op: 'sub', id: entry.id, topic: entry.topic, ...(entry.filter ? { filter: entry.filter } : {}) })
  }

  private send(message: LiveRequest): void {
    this.wire?.send(JSON.stringify(message))
  }

  private clearTimer(): void {
    if (this.timer !== null) this.options.cancel(this.timer)
    this.timer = null
  }
}
