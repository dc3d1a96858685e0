/** A short sound for a new alert, made here: no file, no outside asset. Browsers stay silent until somebody has clicked. */

import type { Severity } from '@/api/types'

const TONES: Record<Severity, number[]> = { urgent: [880, 660, 880], high: [880, 660], normal: [740], low: [600] }
let context: AudioContext | null = null
let last = 0

export function beep(severity: Severity): void {
  const now = Date.now()
  if (now - last < 2_000) return
  last = now
  try {
    context ??= new AudioContext()
    void context.resume()
    TONES[severity].forEach((hz, i) => tone(hz, i * 0.22))
  } catch {
    // A desk without sound shows the badge only.
  }
}

function tone(hz: number, after: number): void {
  if (!context) return
  const start = context.currentTime + after
  const source = context.createOscillator()
  const volume = context.createGain()
  source.frequency.value = hz
  volume.gain.setValueAtTime(0.0001, start)
  volume.gain.exponentialRampToValueAtTime(0.18, start + 0.02)
  volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.2)
  source.connect(volume).connect(context.destination)
  source.start(start)
  source.stop(start + 0.22)
}
