import { describe, expect, it } from 'vitest'
import { formatBytes, formatNumber, formatValue } from './number'

describe('numbers', () => {
  it('carry their unit', () => {
    expect(formatValue(1.23456, 'mg/m3')).toBe('1.235 mg/m³')
    expect(formatValue(12, '1')).toBe('12')
    expect(formatValue(null, 'mg/m3')).toBe('—')
  })
  it('keep few digits', () => {
    expect(formatNumber(1234.56)).toBe('1235')
    expect(formatNumber(0.1 + 0.2)).toBe('0.3')
    expect(formatNumber(Number.NaN)).toBe('—')
  })
  it('name sizes', () => {
    expect(formatBytes(1536)).toBe('1.5 KiB')
    expect(formatBytes(12)).toBe('12 B')
  })
})
