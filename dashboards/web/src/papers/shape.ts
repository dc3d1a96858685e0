/** An area's shape as text and back: one corner a line, `longitude, latitude`. Pure. */

import type { Place } from '@/api/types'

export interface Shape {
  kind: 'outline' | 'circle'
  /** Corners; of a circle the first is its centre. */
  points: Place[]
  radius_m: number
}

export function pointsText(points: Place[]): string {
  return points.map((point) => `${(point[0] ?? 0).toFixed(6)}, ${(point[1] ?? 0).toFixed(6)}`).join('\n')
}

/** `null` with the first line that is no place. */
export function readPoints(text: string): { points: Place[]; bad: number | null } {
  const points: Place[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const parts = line.split(/[,，;\s]+/).filter(Boolean).map(Number)
    const [lon, lat] = parts
    if (parts.length !== 2 || lon === undefined || lat === undefined || !(Math.abs(lon) <= 180) || !(Math.abs(lat) <= 90)) return { points, bad: index + 1 }
    points.push([lon, lat])
  }
  return { points, bad: null }
}

/** Square metres inside a ring, on the tangent plane of its first corner. */
export function areaM2(points: Place[]): number {
  const [first] = points
  if (!first || points.length < 3) return 0
  const metres = 6_371_008.8 * (Math.PI / 180)
  const flat = points.map((point) => [((point[0] ?? 0) - (first[0] ?? 0)) * metres * Math.cos(((first[1] ?? 0) * Math.PI) / 180), ((point[1] ?? 0) - (first[1] ?? 0)) * metres] as const)
  const twice = flat.reduce((sum, [x, y], i) => {
    const [nx, ny] = flat[(i + 1) % flat.length] ?? [0, 0]
    return sum + x * ny - nx * y
  }, 0)
  return Math.abs(twice) / 2
}

export function shapeReady(shape: Shape): boolean {
  return shape.kind === 'circle' ? shape.points.length > 0 && shape.radius_m >= 5 : shape.points.length >= 3
}
