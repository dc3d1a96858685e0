import { describe, expect, it } from 'vitest'
import { LiveSocket, retryDelayMs, type LiveState, type Wire } from './socket'

class FakeWire implements Wire {
  sent: { op: string; id?: number; topic?: string }[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(): void {
    this.closed = true
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
}

function setUp() {
  const wires: FakeWire[] = []
  const timers: { run: () => void; ms: number; on: boolean }[] = []
  const states: LiveState[] = []
  let now = 0
  const live = new LiveSocket({
    open: () => {
      const wire = new FakeWire()
      wires.push(wire)
      return wire
    },
    now: () => now,
    random: () => 1,
    later: (run, ms) => timers.push({ run, ms, on: true }) - 1,
    cancel: (timer) => {
      const found = timers[timer]
      if (found) found.on = false
    },
    onState: (state) => states.push(state),
  })
  const fire = () => {
    const due = timers.find((timer) => timer.on)
    if (!due) throw new Error('no timer')
    due.on = false
    now += due.ms
    due.run()
    return due.ms
  }
  return { live, wires, fire, states, pass: (ms: number) => (now += ms) }
}

describe('the live socket', () => {
  it('waits between one and thirty seconds', () => {
    for (let attempt = 0; attempt < 40; attempt += 1) {
      for (const random of [0, 0.5, 1]) {
        const wait = retryDelayMs(attempt, random)
        expect(wait).toBeGreaterThanOrEqual(1_000)
        expect(wait).toBeLessThanOrEqual(30_000)
      }
    }
  })

  it('subscribes when it opens and again after it was away, and tells of the gap', () => {
    const { live, wires, fire } = setUp()
    let gaps = 0
    const got: unknown[] = []
    live.subscribe({ topic: 'alerts', onData: (data) => got.push(data), onGap: () => (gaps += 1) })
    live.start()
    wires[0]?.onopen?.()
    expect(wires[0]?.sent).toEqual([{ op: 'sub', id: 1, topic: 'alerts' }])
    wires[0]?.say({ id: 1, type: 'snapshot', seq: 1, data: 'a' })
    wires[0]?.onclose?.()
    expect(fire()).toBe(1_000)
    wires[1]?.onopen?.()
    expect(wires[1]?.sent).toEqual([{ op: 'sub', id: 1, topic: 'alerts' }])
    expect(gaps).toBe(1)
    expect(got).toEqual(['a'])
  })

  it('notices a missing number', () => {
    const { live, wires } = setUp()
    let gaps = 0
    live.subscribe({ topic: 'alerts', onData: () => undefined, onGap: () => (gaps += 1) })
    live.start()
    const wire = wires[0]
    wire?.onopen?.()
    wire?.say({ id: 1, type: 'snapshot', seq: 4, data: 0 })
    wire?.say({ id: 1, type: 'delta', seq: 5, data: 0 })
    expect(gaps).toBe(0)
    wire?.say({ id: 1, type: 'delta', seq: 7, data: 0 })
    expect(gaps).toBe(1)
  })

  it('fetches again when the server says so, and stops when the session ended', () => {
    const { live, wires, states } = setUp()
    let gaps = 0
    live.subscribe({ topic: 'cases', onData: () => undefined, onGap: () => (gaps += 1) })
    live.start()
    wires[0]?.onopen?.()
    wires[0]?.say({ type: 'refetch', id: 1, seq: 9 })
    expect(gaps).toBe(1)
    wires[0]?.say({ type: 'bye', code: 'session_ended' })
    expect(states.at(-1)).toBe('closed')
  })

  it('gives up a line that went silent', () => {
    const { live, wires, fire } = setUp()
    live.start()
    wires[0]?.onopen?.()
    for (let i = 0; i < 9; i += 1) fire()
    expect(wires[0]?.closed).toBe(true)
    fire()
    expect(wires).toHaveLength(2)
  })

  it('hears nothing more of what it left', () => {
    const { live, wires } = setUp()
    const got: unknown[] = []
    const leave = live.subscribe({ topic: 'health', onData: (data) => got.push(data) })
    live.start()
    wires[0]?.onopen?.()
    leave()
    wires[0]?.say({ id: 1, type: 'delta', seq: 2, data: 'late' })
    expect(got).toEqual([])
    expect(wires[0]?.sent.at(-1)).toEqual({ op: 'unsub', id: 1 })
  })

  it('survives what is no message', () => {
    const { live, wires } = setUp()
    live.start()
    wires[0]?.onopen?.()
    wires[0]?.onmessage?.({ data: '{' })
    wires[0]?.say({ id: 99, type: 'delta', seq: 1, data: 1 })
    wires[0]?.say({ type: 'strange' })
  })
})
