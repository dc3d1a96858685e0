import { describe, expect, it } from 'vitest'
import { flagAt, linePoints } from './option'

const iso = (ms: number): string => new Date(ms).toISOString()

describe('the line', () => {
  it('is never drawn across a gap', () => {
    const points = linePoints({ t: [0, 1_000, 9_000], v: [1, 2, 3], gaps: [{ from: iso(1_500), to: iso(8_500) }] })
    expect(points.map((point) => point[1])).toEqual([1, 2, null, 3])
  })
  it('keeps the breaks that the server sent', () => {
    const points = linePoints({ t: [0, 500, 9_000], v: [1, null, 3], gaps: [{ from: iso(1), to: iso(8_500) }] })
    expect(points.map((point) => point[1])).toEqual([1, null, 3])
  })
  it('knows the flag of a moment', () => {
    const flags = [{ from: iso(10), to: iso(20), flag: 'calibration' as const }]
    expect(flagAt({ flags }, 15)).toBe('calibration')
    expect(flagAt({ flags }, 21)).toBeNull()
  })
})
