/** Windows of the week in words: `周一至周五 22:00–06:00`. */

import type { Window } from '@/api/types'
import { formatMinuteOfDay } from './time'

type Translate = (key: string, named: Record<string, unknown>) => string

export function windowText(window: Window, t: Translate): string {
  const hours = `${formatMinuteOfDay(window.from_minute)}–${formatMinuteOfDay(window.to_minute)}`
  const days = [...(window.weekdays ?? [])].sort((a, b) => a - b)
  if (days.length === 0 || days.length === 7) return `${t('week.every', {})} ${hours}`
  const first = days[0] ?? 1
  const last = days.at(-1) ?? 1
  const run = days.length > 2 && last - first === days.length - 1
  const names = run ? t('week.span', { from: t(`week.d${first}`, {}), to: t(`week.d${last}`, {}) }) : days.map((day) => t(`week.d${day}`, {})).join(' ')
  return `${names} ${hours}`
}
