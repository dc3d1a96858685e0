/** Minutes of the day as people write them. */

/** `08:30`; the end of the day is `24:00`. */
export function clockText(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}

/** `null` when it is no time of a day. */
export function minuteOf(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim().replace('：', ':'))
  const [hour, minute] = [Number(match?.[1]), Number(match?.[2])]
  return match && minute < 60 && hour * 60 + minute <= 1440 ? hour * 60 + minute : null
}
