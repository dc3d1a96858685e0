import { expect, it, vi } from 'vitest'

vi.mock('ol/layer/Layer', () => ({ default: class {} }))
const { apart, cluster, CLUSTER_ABOVE, worstTone } = await import('./things')

const thing = (id: number, tone: 'red' | 'green' = 'green') => ({ id, kind: 'truck' as const, x: 0, y: 0, tone, heading: null, label: '' })

it('draws each thing as itself up to the bound, and none is lost above it', () => {
  const few = Array.from({ length: CLUSTER_ABOVE }, (_, i) => ({ px: i, py: 0, thing: thing(i) }))
  expect(cluster(few)).toHaveLength(CLUSTER_ABOVE)
  const many = Array.from({ length: 900 }, (_, i) => ({ px: i % 30, py: i / 30, thing: thing(i) }))
  const drawn = cluster(many)
  expect(drawn.length).toBeLessThan(10)
  expect(drawn.reduce((n, one) => n + one.things.length, 0)).toBe(900)
})

it('shows the worst of a cluster', () => {
  expect(worstTone([thing(1), thing(2, 'red')])).toBe('red')
})

it('leaves out a label that would cover one before it', () => {
  const at = (px: number, py: number) => ({ px, py, half: 30 })
  expect(apart([at(0, 0), at(40, 5), at(40, 30), at(61, 0)])).toEqual([at(0, 0), at(40, 30), at(61, 0)])
})
