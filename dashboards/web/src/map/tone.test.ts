import { expect, it } from 'vitest'
import { subjectWord, truckWord } from './tone'

it('an alert outweighs everything, silence outweighs an old speed', () => {
  expect(truckWord({ open_alerts: 1, presence: 'silent', fixed: false, speed_kmh: 0 })).toBe('alarm')
  expect(truckWord({ open_alerts: 0, presence: 'silent', fixed: true, speed_kmh: 40 })).toBe('silent')
  expect(truckWord({ open_alerts: 0, presence: 'online', fixed: true, speed_kmh: 40 })).toBe('moving')
})

it('a doubtful reading is never shown as over the limit', () => {
  const reading = { device: 1, quantity: 'fume', value: 9, unit: 'mg/m3', valid: false, at: '', limit: 1 }
  expect(subjectWord({ presence: 'online', open_alerts: 0, reading })).toBe('online')
  expect(subjectWord({ presence: 'online', open_alerts: 0, reading: { ...reading, valid: true } })).toBe('over')
})
