import { expect, it } from 'vitest'
import { clockText, minuteOf } from './policy'

it('reads a time of day and writes it the same', () => {
  for (const text of ['00:00', '08:30', '24:00']) expect(clockText(minuteOf(text) ?? -1)).toBe(text)
  expect(minuteOf('8：05')).toBe(485)
  for (const text of ['', '24:01', '7:60', 'noon', '-1:00']) expect(minuteOf(text)).toBeNull()
})
