import { describe, expect, it } from 'vitest'
import { formatAge, formatClockMs, formatSpan, formatTime, fromPicker, fromWallMs, startOfDay, toPicker, wallMs } from './time'

const t = (key: string, named: Record<string, unknown>): string => `${key}${JSON.stringify(named)}`

describe('times', () => {
  it('shows Beijing time whatever the zone of the desk', () => {
    expect(formatTime('2026-11-21T16:00:00.000Z')).toBe('2026-11-22 00:00:00')
    expect(formatTime('2026-11-21T15:59:59.999Z')).toBe('2026-11-21 23:59:59')
    expect(formatClockMs(7)).toBe('08:00:00.007')
  })
  it('shows a dash for nothing and nonsense', () => {
    expect(formatTime(null)).toBe('—')
    expect(formatTime('yesterday')).toBe('—')
  })
  it('brings a picked time to UTC and back', () => {
    expect(fromPicker('2026-11-22')).toBe('2026-11-21T16:00:00.000Z')
    expect(fromPicker('2026-11-22T08:30:00')).toBe('2026-11-22T00:30:00.000Z')
    expect(toPicker('2026-11-22T00:30:00Z')).toBe('2026-11-22T08:30:00')
    expect(fromPicker('')).toBeNull()
  })
  it('starts the day at midnight in the district', () => {
    expect(new Date(startOfDay(Date.parse('2026-11-21T16:00:01Z'))).toISOString()).toBe('2026-11-21T16:00:00.000Z')
    expect(new Date(startOfDay(Date.parse('2026-11-21T15:59:59Z'))).toISOString()).toBe('2026-11-20T16:00:00.000Z')
  })
  it('undoes the shift of an axis', () => {
    expect(fromWallMs(wallMs(1234))).toBe(1234)
  })
  it('names spans in at most two parts', () => {
    expect(formatSpan(59_000, t)).toContain('time.seconds{"n":59}')
    expect(formatSpan(3_900_000, t)).toBe('time.hoursMinutes{"h":1,"m":5}')
    expect(formatSpan(50 * 3_600_000, t)).toBe('time.daysHours{"d":2,"h":2}')
    expect(formatAge(0, 60_000, t)).toContain('time.ago')
    expect(formatAge(60_000, 0, t)).toContain('time.ahead')
  })
})
