/**
 * Many things on one canvas: trucks with their heading, restaurants, gates. Arrays, no object of the map library for each
 * of them; above {@link CLUSTER_ABOVE} in view they are drawn as clusters.
 */

import type { FrameState } from 'ol/Map'
import Layer from 'ol/layer/Layer'

export type Tone = 'red' | 'orange' | 'green' | 'blue' | 'grey'

export interface Thing {
  id: number
  kind: 'truck' | 'restaurant' | 'site' | 'gate' | 'disposal_site'
  /** In the map's projection. */
  x: number
  y: number
  tone: Tone
  /** Radians clockwise from north, for what moves. */
  heading: number | null
  label: string
}

export interface Drawn {
  px: number
  py: number
  radius: number
  things: Thing[]
}

export const CLUSTER_ABOVE = 200
/** With more in view only the chosen one is named. */
const NAMED_BELOW = 80
const LABEL_HEIGHT = 15
const LABEL_DOWN = 19
const CELL_PX = 52
const FONT = '12px "PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif'
export const COLOURS: Record<Tone, string> = { red: '#c0262f', orange: '#c06a10', green: '#23834a', blue: '#1d62ab', grey: '#77838f' }
const WORST: Tone[] = ['red', 'orange', 'blue', 'green', 'grey']

/** Things that fall into one cell become one; with few in view each stays itself. */
export function cluster(inView: { px: number; py: number; thing: Thing }[]): Drawn[] {
  if (inView.length <= CLUSTER_ABOVE) return inView.map(({ px, py, thing }) => ({ px, py, radius: 9, things: [thing] }))
  const cells = new Map<string, { px: number; py: number; things: Thing[] }>()
  for (const { px, py, thing } of inView) {
    const key = `${Math.floor(px / CELL_PX)}:${Math.floor(py / CELL_PX)}`
    const cell = cells.get(key)
    if (cell) {
      cell.px += px
      cell.py += py
      cell.things.push(thing)
    } else {
      cells.set(key, { px, py, things: [thing] })
    }
  }
  return [...cells.values()].map(({ px, py, things }) => ({
    px: px / things.length,
    py: py / things.length,
    radius: things.length === 1 ? 9 : Math.min(22, 11 + Math.log2(things.length) * 2),
    things,
  }))
}

export function worstTone(things: Thing[]): Tone {
  return WORST.find((tone) => things.some((thing) => thing.tone === tone)) ?? 'grey'
}

export class ThingsLayer extends Layer {
  private things: Thing[] = []
  private drawn: Drawn[] = []
  private readonly canvas = document.createElement('canvas')
  selected: number | null = null
  tail: [number, number][] = []

  constructor() {
    super({})
    this.canvas.style.position = 'absolute'
    this.canvas.style.pointerEvents = 'none'
  }

  setThings(things: Thing[]): void {
    this.things = things
    this.changed()
  }

  /** What is drawn nearest to a pixel. */
  hit(px: number, py: number): Drawn | null {
    let best: Drawn | null = null
    let bestDistance = Infinity
    for (const one of this.drawn) {
      const distance = Math.hypot(one.px - px, one.py - py)
      if (distance <= one.radius + 4 && distance < bestDistance) {
        best = one
        bestDistance = distance
      }
    }
    return best
  }

  override render(frame: FrameState | null): HTMLElement {
    if (!frame) return this.canvas
    const [width = 0, height = 0] = frame.size
    const ratio = frame.pixelRatio
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio)
      this.canvas.height = Math.round(height * ratio)
      this.canvas.style.width = `${width}px`
      this.canvas.style.height = `${height}px`
    }
    const pen = this.canvas.getContext('2d')
    if (!pen) return this.canvas
    pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    pen.clearRect(0, 0, width, height)
    const { center, resolution } = frame.viewState
    const toPx = (x: number, y: number): [number, number] => [
      width / 2 + (x - (center[0] ?? 0)) / resolution,
      height / 2 - (y - (center[1] ?? 0)) / resolution,
    ]
    const inView = []
    for (const thing of this.things) {
      const [px, py] = toPx(thing.x, thing.y)
      if (px > -20 && py > -20 && px < width + 20 && py < height + 20) inView.push({ px, py, thing })
    }
    this.drawn = cluster(inView)
    this.drawTail(pen, toPx)
    for (const one of this.drawn) this.drawOne(pen, one)
    this.drawLabels(pen, inView.length <= NAMED_BELOW)
    return this.canvas
  }

  private drawTail(pen: CanvasRenderingContext2D, toPx: (x: number, y: number) => [number, number]): void {
    if (this.tail.length < 2) return
    pen.beginPath()
    this.tail.forEach(([x, y], i) => {
      const [px, py] = toPx(x, y)
      if (i === 0) pen.moveTo(px, py)
      else pen.lineTo(px, py)
    })
    pen.strokeStyle = 'rgba(23,82,143,0.75)'
    pen.lineWidth = 3
    pen.setLineDash([2, 4])
    pen.stroke()
    pen.setLineDash([])
  }

  private drawOne(pen: CanvasRenderingContext2D, one: Drawn): void {
    const [first] = one.things
    if (!first) return
    pen.save()
    pen.translate(one.px, one.py)
    pen.lineWidth = 1.5
    pen.strokeStyle = '#fff'
    if (one.things.length > 1) {
      pen.fillStyle = COLOURS[worstTone(one.things)]
      pen.globalAlpha = 0.92
      pen.beginPath()
      pen.arc(0, 0, one.radius, 0, 2 * Math.PI)
      pen.fill()
      pen.stroke()
      pen.globalAlpha = 1
      text(pen, String(one.things.length), 0, '#fff', false)
      pen.restore()
      return
    }
    if (first.id === this.selected) {
      pen.beginPath()
      pen.arc(0, 0, 15, 0, 2 * Math.PI)
      pen.fillStyle = 'rgba(29,98,171,0.18)'
      pen.fill()
      pen.strokeStyle = '#1d62ab'
      pen.stroke()
      pen.strokeStyle = '#fff'
    }
    pen.fillStyle = COLOURS[first.tone]
    pen.beginPath()
    shape(pen, first)
    pen.fill()
    pen.stroke()
    pen.restore()
  }

  /** Names below their things, the chosen and the worst first; one that would cover another is left out. */
  private drawLabels(pen: CanvasRenderingContext2D, named: boolean): void {
    const alone = this.drawn.flatMap((one) => (one.things.length === 1 && one.things[0] ? [{ px: one.px, py: one.py, thing: one.things[0] }] : []))
    const wanted = alone.filter(({ thing }) => named || thing.id === this.selected).sort((a, b) => this.rank(a.thing) - this.rank(b.thing))
    const boxes = wanted.map(({ px, py, thing }) => ({ px, py, thing, half: labelWidth(pen, thing.label) / 2 }))
    for (const { px, py, thing } of apart(boxes)) {
      pen.save()
      pen.translate(px, py)
      text(pen, thing.label, LABEL_DOWN, '#1b2733', true)
      pen.restore()
    }
  }

  private rank(thing: Thing): number {
    return thing.id === this.selected ? -1 : WORST.indexOf(thing.tone) * 4 + (thing.kind === 'truck' ? 0 : thing.kind === 'restaurant' ? 2 : 1)
  }
}

interface Label { px: number; py: number; half: number }

/** The labels that cover none before them. */
export function apart<L extends Label>(labels: L[]): L[] {
  const kept: L[] = []
  for (const one of labels) {
    if (!kept.some((two) => Math.abs(one.px - two.px) < one.half + two.half && Math.abs(one.py - two.py) < LABEL_HEIGHT)) kept.push(one)
  }
  return kept
}

function shape(pen: CanvasRenderingContext2D, thing: Thing): void {
  switch (thing.kind) {
    case 'truck':
      if (thing.heading === null) {
        pen.rect(-5.5, -5.5, 11, 11)
        return
      }
      pen.rotate(thing.heading)
      pen.moveTo(0, -10)
      pen.lineTo(7, 8)
      pen.lineTo(0, 4)
      pen.lineTo(-7, 8)
      pen.closePath()
      pen.rotate(-thing.heading)
      return
    case 'restaurant':
      pen.arc(0, 0, 6, 0, 2 * Math.PI)
      return
    case 'gate':
      pen.rect(-4, -4, 8, 8)
      return
    default:
      pen.moveTo(0, -9)
      pen.lineTo(8, 0)
      pen.lineTo(8, 7)
      pen.lineTo(-8, 7)
      pen.lineTo(-8, 0)
      pen.closePath()
  }
}

function labelWidth(pen: CanvasRenderingContext2D, label: string): number {
  pen.font = FONT
  return pen.measureText(label).width + 6
}

function text(pen: CanvasRenderingContext2D, label: string, dy: number, colour: string, halo: boolean): void {
  pen.font = halo ? FONT : `600 ${FONT}`
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  if (halo) {
    pen.lineWidth = 3
    pen.strokeStyle = 'rgba(255,255,255,0.9)'
    pen.strokeText(label, 0, dy)
  }
  pen.fillStyle = colour
  pen.fillText(label, 0, dy)
}
