import { expect, it } from 'vitest'
import { bytesOf, leafAt } from './frame'

it('cuts hex into bytes', () => {
  expect(bytesOf('7e0200')).toEqual(['7e', '02', '00'])
  expect(bytesOf('')).toEqual([])
})

it('gives each byte to the innermost field that holds it', () => {
  const fields = [{ at: 0, len: 1, depth: 0 }, { at: 1, len: 4, depth: 0 }, { at: 1, len: 2, depth: 1 }, { at: 3, len: 0, depth: 1 }]
  expect(leafAt(fields, 6)).toEqual([0, 2, 2, 1, 1, -1])
})

it('does not run past the bytes there are', () => {
  expect(leafAt([{ at: 1, len: 99, depth: 0 }], 3)).toEqual([-1, 0, 0])
})
