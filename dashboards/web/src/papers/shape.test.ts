import { expect, it } from 'vitest'
import { areaM2, pointsText, readPoints, shapeReady } from './shape'

it('reads corners as people write them and tells the line that is none', () => {
  expect(readPoints('113.5, 34.8\n113.6，34.8\n\n 113.6 34.9 ')).toEqual({ points: [[113.5, 34.8], [113.6, 34.8], [113.6, 34.9]], bad: null })
  expect(readPoints('113.5, 34.8\nnorth').bad).toBe(2)
  expect(readPoints('113.5, 134.8').bad).toBe(1)
  expect(readPoints('113.5, 34.8, 7').bad).toBe(1)
})

it('writes what it reads', () => {
  const points: [number, number][] = [[113.5, 34.8], [113.6, 34.9]]
  expect(readPoints(pointsText(points)).points).toEqual(points)
})

it('knows how large a block is', () => {
  // About 912 m by 1112 m.
  const area = areaM2([[113.5, 34.8], [113.51, 34.8], [113.51, 34.81], [113.5, 34.81]])
  expect(area / 1e6).toBeCloseTo(1.015, 2)
})

it('is ready with three corners, or a centre and a radius', () => {
  const two: [number, number][] = [[113.5, 34.8], [113.51, 34.8]]
  expect(shapeReady({ kind: 'outline', points: two, radius_m: 0 })).toBe(false)
  expect(shapeReady({ kind: 'circle', points: two, radius_m: 50 })).toBe(true)
  expect(shapeReady({ kind: 'circle', points: [], radius_m: 50 })).toBe(false)
})
