/** From a series of the API to what ECharts draws: limit line, gaps as gaps, doubtful stretches shaded. */

import type { Series } from '@/api/types'
import { formatNumber, unitText } from '@/format/number'
import { formatClock, formatShort, formatTime, fromWallMs, wallMs } from '@/format/time'

export interface Words {
  name: string
  limit: string
  flag: (code: string) => string
  gap: string
  ours: (what: string) => string
}

/** Points of the line; a stretch without data is a break, never a bridge. */
export function linePoints(series: Pick<Series, 't' | 'v' | 'gaps'>): [number, number | null][] {
  const points: [number, number | null][] = []
  const breaks = series.gaps.map((gap) => Date.parse(gap.from)).sort((a, b) => a - b)
  let next = 0
  series.t.forEach((t, i) => {
    const value = series.v[i] ?? null
    let broken = false
    while (next < breaks.length && (breaks[next] as number) < t) {
      broken = true
      next += 1
    }
    const before = points.at(-1)
    if (broken && before && before[1] !== null && value !== null) points.push([before[0] + 1, null])
    points.push([wallMs(t), value])
  })
  return points
}

/** Values shown by flag, for the hover. */
export function flagAt(series: Pick<Series, 'flags'>, t: number): string | null {
  return series.flags.find((span) => Date.parse(span.from) <= t && t <= Date.parse(span.to))?.flag ?? null
}

const span = (from: string, to: string): [number, number] => [wallMs(Date.parse(from)), wallMs(Date.parse(to))]

export function chartOption(series: Series, words: Words): Record<string, unknown> {
  const unit = unitText(series.unit)
  const areas = [
    ...series.gaps.map((gap) => {
      const [from, to] = span(gap.from, gap.to)
      return [
        { xAxis: from, name: gap.ours ? words.ours(gap.ours) : words.gap, itemStyle: { color: gap.ours ? 'rgba(80,110,160,0.16)' : 'rgba(110,120,130,0.10)' } },
        { xAxis: to },
      ]
    }),
    ...series.flags.map((one) => {
      const [from, to] = span(one.from, one.to)
      return [{ xAxis: from, name: words.flag(one.flag), itemStyle: { color: 'rgba(112,80,170,0.14)' } }, { xAxis: to }]
    }),
  ]
  const limits = series.limits.map((line) => {
    const [from, to] = span(line.from, line.to)
    return {
      type: 'line',
      name: words.limit,
      data: [[from, line.value], [to, line.value]],
      symbol: 'none',
      silent: true,
      lineStyle: { color: '#b3202a', width: 1.5, type: 'dashed' },
      endLabel: { show: true, formatter: `${words.limit} ${formatNumber(line.value)}`, color: '#b3202a', fontSize: 11, offset: [-4, -8], align: 'right' },
      tooltip: { show: false },
      z: 3,
    }
  })
  const top = Math.max(...series.limits.map((line) => line.value), 0)
  return {
    animation: false,
    useUTC: true,
    grid: { left: 56, right: 24, top: 30, bottom: 58 },
    tooltip: {
      trigger: 'axis',
      confine: true,
      formatter: (items: { seriesIndex: number; value: [number, number | null] }[]) => {
        const item = items.find((one) => one.seriesIndex === 0)
        if (!item || item.value[1] === null) return ''
        const at = fromWallMs(item.value[0])
        const flag = flagAt(series, at)
        return `${formatTime(at)}<br><b>${formatNumber(item.value[1])} ${unit}</b>${flag ? `<br>${words.flag(flag)}` : ''}`
      },
    },
    dataZoom: [
      { type: 'inside', filterMode: 'none' },
      { type: 'slider', height: 18, bottom: 8, filterMode: 'none', showDataShadow: false, labelFormatter: (at: number) => formatShort(fromWallMs(at)) },
    ],
    xAxis: {
      type: 'time',
      min: wallMs(Date.parse(series.from)),
      max: wallMs(Date.parse(series.to)),
      axisLabel: { color: '#5b6874', hideOverlap: true, formatter: (at: number) => axisText(fromWallMs(at)) },
      axisLine: { lineStyle: { color: '#cfd6dd' } },
    },
    yAxis: {
      type: 'value',
      name: unit,
      nameTextStyle: { color: '#5b6874', align: 'right' },
      axisLabel: { color: '#5b6874', showMaxLabel: false },
      splitLine: { lineStyle: { color: '#ebeef2' } },
      max: (range: { max: number }) => Number((Math.max(range.max, top) * 1.1 || 1).toPrecision(2)),
    },
    series: [
      {
        type: 'line',
        name: words.name,
        data: linePoints(series),
        connectNulls: false,
        showSymbol: series.t.length <= 60,
        symbolSize: 4,
        lineStyle: { width: 1.6, color: '#17528f' },
        itemStyle: { color: '#17528f' },
        markArea: { silent: true, label: { color: '#556270', fontSize: 11, position: 'insideTop' }, data: areas },
      },
      ...limits,
    ],
  }
}

/** Midnight shows the date, everything else the time of day. */
function axisText(at: number): string {
  const clock = formatClock(at)
  return clock === '00:00:00' ? formatShort(at).slice(0, 5) : clock.endsWith(':00') ? clock.slice(0, 5) : clock
}
