/**
 * Times for people. This is the only file of the page that knows a time zone: the API speaks UTC, the district lives by
 * Beijing time, whatever the desk's own clock is set to.
 */

export const ZONE = 'Asia/Shanghai'
const OFFSET_MS = 8 * 3_600_000

export type TimeInput = string | number | Date | null | undefined

/** Milliseconds since 1970, or `null` for nothing and nonsense. */
export function toMs(at: TimeInput): number | null {
  if (at === null || at === undefined || at === '') return null
  const ms = typeof at === 'number' ? at : at instanceof Date ? at.getTime() : Date.parse(at)
  return Number.isFinite(ms) ? ms : null
}

function wall(ms: number): Date {
  return new Date(ms + OFFSET_MS)
}

const two = (n: number): string => String(n).padStart(2, '0')

/** `2026-11-22` */
export function formatDate(at: TimeInput): string {
  const ms = toMs(at)
  if (ms === null) return '—'
  const d = wall(ms)
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`
}

/** `08:30:05` */
export function formatClock(at: TimeInput): string {
  const ms = toMs(at)
  if (ms === null) return '—'
  const d = wall(ms)
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`
}

/** `2026-11-22 08:30:05` */
export function formatTime(at: TimeInput): string {
  return toMs(at) === null ? '—' : `${formatDate(at)} ${formatClock(at)}`
}

/** `11-22 08:30` : for narrow columns. */
export function formatShort(at: TimeInput): string {
  return toMs(at) === null ? '—' : `${formatDate(at).slice(5)} ${formatClock(at).slice(0, 5)}`
}

/** `08:30:05.123` : for frames. */
export function formatClockMs(at: TimeInput): string {
  const ms = toMs(at)
  return ms === null ? '—' : `${formatClock(ms)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, '0')}`
}

type Translate = (key: string, named: Record<string, unknown>) => string

/** `3 小时 5 分` from milliseconds, two parts at most. */
export function formatSpan(ms: number | null | undefined, t: Translate): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '—'
  const s = Math.max(0, Math.round(Math.abs(ms) / 1000))
  if (s < 60) return t('time.seconds', { n: s })
  const minutes = Math.floor(s / 60)
  if (minutes < 60) return t('time.minutes', { n: minutes })
  const hours = Math.floor(minutes / 60)
  if (hours < 48) {
    const rest = minutes % 60
    return rest === 0 ? t('time.hours', { n: hours }) : t('time.hoursMinutes', { h: hours, m: rest })
  }
  const days = Math.floor(hours / 24)
  const restHours = hours % 24
  return restHours === 0 ? t('time.days', { n: days }) : t('time.daysHours', { d: days, h: restHours })
}

/** `3 分钟前`; a time ahead of us says so. */
export function formatAge(at: TimeInput, now: number, t: Translate): string {
  const ms = toMs(at)
  if (ms === null) return '—'
  const age = now - ms
  if (Math.abs(age) < 5_000) return t('time.justNow', {})
  return age >= 0 ? t('time.ago', { span: formatSpan(age, t) }) : t('time.ahead', { span: formatSpan(-age, t) })
}

/** Minutes after midnight as `22:00`. */
export function formatMinuteOfDay(minute: number): string {
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
}

/** Beijing wall time as a UTC number, for an axis that is told to draw UTC. */
export function wallMs(at: number): number {
  return at + OFFSET_MS
}

/** Back from {@link wallMs}. */
export function fromWallMs(at: number): number {
  return at - OFFSET_MS
}

/** The start of the Beijing day `at` falls in, as UTC milliseconds. */
export function startOfDay(at: number): number {
  return Math.floor((at + OFFSET_MS) / 86_400_000) * 86_400_000 - OFFSET_MS
}

/** A picker's `YYYY-MM-DD` or `YYYY-MM-DDTHH:mm:ss` (Beijing wall time) as RFC 3339 in UTC. */
export function fromPicker(text: string | null | undefined): string | null {
  if (!text) return null
  const full = text.length === 10 ? `${text}T00:00:00` : text
  const ms = Date.parse(`${full}Z`)
  return Number.isFinite(ms) ? new Date(ms - OFFSET_MS).toISOString() : null
}

/** RFC 3339 as a picker's `YYYY-MM-DDTHH:mm:ss`, Beijing wall time. */
export function toPicker(at: TimeInput): string {
  const ms = toMs(at)
  return ms === null ? '' : wall(ms).toISOString().slice(0, 19)
}
