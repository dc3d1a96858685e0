import { expect, it } from 'vitest'
import { hexRows } from './hex'

it('shows sixteen bytes a row with their text', () => {
  const rows = hexRows('23233031' + '00'.repeat(13))
  expect(rows).toHaveLength(2)
  expect(rows[0]?.text.startsWith('##01')).toBe(true)
  expect(rows[1]).toEqual({ offset: '0010', bytes: '00', text: '·' })
})
