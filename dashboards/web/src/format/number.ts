/** Numbers with their units. A number without a unit is never shown. */

const UNITS: Record<string, string> = {
  'mg/m3': 'mg/m³',
  'ug/m3': 'µg/m³',
  'ng/m3': 'ng/m³',
  degC: '℃',
  'm3/h': 'm³/h',
  deg: '°',
  '1': '',
}

export function unitText(code: string | null | undefined): string {
  if (!code) return ''
  return UNITS[code] ?? code
}

/** Four significant digits at most, no exponent in the ordinary range. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '—'
  const size = Math.abs(value)
  if (size !== 0 && (size < 0.0005 || size >= 1e9)) return value.toExponential(2)
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3
  return String(Number(value.toFixed(digits)))
}

export function formatValue(value: number | null | undefined, unit: string | null | undefined): string {
  const text = formatNumber(value)
  const u = unitText(unit)
  return text === '—' || u === '' ? text : `${text} ${u}`
}

export function formatCount(value: number | null | undefined): string {
  return value === null || value === undefined ? '—' : value.toLocaleString('en-US')
}

export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '—'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = value
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}
