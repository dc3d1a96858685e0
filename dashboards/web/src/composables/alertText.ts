/** An alert's number in words, and how long it lasts. */

import type { AlertRow } from '@/api/types'
import { formatNumber, formatValue } from '@/format/number'
import { formatSpan, toMs } from '@/format/time'

type Translate = (key: string, named: Record<string, unknown>) => string

/** `1.86 / 1.5 mg/m³`: the extreme against what it was compared with. */
export function extremeText(row: Pick<AlertRow, 'extreme' | 'threshold' | 'unit'>, t: Translate): string {
  if (row.unit === 's') return `${formatSpan(row.extreme * 1000, t)} / ${formatSpan(row.threshold * 1000, t)}`
  return `${formatNumber(row.extreme)} / ${formatValue(row.threshold, row.unit)}`
}

export function lastedMs(row: Pick<AlertRow, 'start' | 'end'>, now: number): number {
  return (toMs(row.end) ?? now) - (toMs(row.start) ?? now)
}
