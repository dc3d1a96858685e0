/** The commands a person can give on a page, by protocol: their fields, and the body that is ordered. The rest of the kinds is for the API. */

import type { NewCommand, Protocol } from '@/api/types'

/** What a field asks for. `span`: two moments; `permit`: one of the truck's; `json`: free text that must be JSON. */
export type FieldKind = 'number' | 'text' | 'long' | 'secret' | 'switch' | 'span' | 'choice' | 'permit' | 'json'

export interface CommandField {
  name: string
  kind: FieldKind
  min?: number
  max?: number
  start?: unknown
  choices?: readonly (string | number)[]
  optional?: boolean
}

export interface CommandKind {
  kind: string
  fields: CommandField[]
  /** Needs `manage_devices` too. */
  locksOut?: boolean
}

const number = (name: string, start: number, min: number, max: number): CommandField => ({ name, kind: 'number', start, min, max })
const onOff = (name: string, start: boolean): CommandField => ({ name, kind: 'switch', start })

const HJ212: CommandKind[] = [
  { kind: 'hj212_set_time', fields: [] },
  { kind: 'hj212_get_time', fields: [] },
  { kind: 'hj212_history', fields: [{ name: 'what', kind: 'choice', start: 'minute', choices: ['minute', 'hour', 'day', 'run_time'] }, { name: 'span', kind: 'span' }] },
  { kind: 'hj212_set_real_time_interval', fields: [number('seconds', 60, 30, 3600)] },
  { kind: 'hj212_get_real_time_interval', fields: [] },
  { kind: 'hj212_set_minute_interval', fields: [{ name: 'minutes', kind: 'choice', start: 1, choices: [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30] }] },
  { kind: 'hj212_get_minute_interval', fields: [] },
  { kind: 'hj212_set_timeouts', fields: [number('over_time_s', 10, 1, 3600), number('re_count', 3, 1, 99)] },
  { kind: 'hj212_start_real_time', fields: [] },
  { kind: 'hj212_stop_real_time', fields: [] },
  { kind: 'hj212_instrument', fields: [{ name: 'action', kind: 'choice', start: 'calibrate', choices: ['calibrate', 'sample_now', 'clean', 'compare_sample'] }, { name: 'pol', kind: 'text' }] },
  { kind: 'hj212_keep_sample', fields: [] },
  { kind: 'hj212_set_password', fields: [{ name: 'password', kind: 'secret' }], locksOut: true },
]

const JT808: CommandKind[] = [
  { kind: 'jt808_route', fields: [{ name: 'permit', kind: 'permit' }] },
  { kind: 'jt808_text', fields: [{ name: 'text', kind: 'long' }, onOff('display', true), onOff('speak', true), onOff('urgent', false)] },
  { kind: 'jt808_photo', fields: [number('channel', 1, 0, 255), number('count', 1, 1, 100)] },
  { kind: 'jt808_get_position', fields: [] },
  { kind: 'jt808_track', fields: [number('interval_s', 5, 0, 3600), number('validity_s', 600, 0, 86_400)] },
  { kind: 'jt808_set_parameters', fields: [number('heartbeat', 60, 1, 3600), number('interval', 30, 1, 3600), number('speed', 80, 1, 200)] },
  { kind: 'jt808_get_parameters', fields: [] },
  { kind: 'jt808_get_attributes', fields: [] },
  { kind: 'jt808_delete_areas', fields: [{ name: 'shape', kind: 'choice', start: 'route', choices: ['circle', 'rectangle', 'polygon', 'route'] }] },
  { kind: 'jt808_control', fields: [{ name: 'action', kind: 'choice', start: 'reset', choices: ['reset', 'factory_settings', 'off', 'data_off'] }], locksOut: true },
]

const MQTT: CommandKind[] = [{ kind: 'mqtt', fields: [{ name: 'payload', kind: 'json', start: '{}' }] }]

export function kindsOf(protocol: Protocol): CommandKind[] {
  return protocol === 'hj212' ? HJ212 : protocol === 'jt808' ? JT808 : protocol === 'mqtt' ? MQTT : []
}

export type CommandValues = Record<string, unknown>

export function startValues(kind: CommandKind, nowMs: number): CommandValues {
  const values: CommandValues = {}
  for (const field of kind.fields) values[field.name] = field.kind === 'span' ? [new Date(nowMs - 3_600_000), new Date(nowMs)] : field.start
  return values
}

/** Whether every field has something in it that can be ordered. */
export function isComplete(kind: CommandKind, values: CommandValues): boolean {
  return kind.fields.every((field) => {
    const value = values[field.name]
    if (field.optional && (value === undefined || value === '')) return true
    if (field.kind === 'span') return Array.isArray(value) && value.length === 2 && value.every((one) => one instanceof Date)
    if (field.kind === 'json') return parsed(value) !== undefined
    if (typeof value === 'string') return value.trim() !== ''
    return value !== undefined && value !== null
  })
}

function parsed(value: unknown): unknown {
  try {
    const got: unknown = JSON.parse(String(value))
    return got === null ? undefined : got
  } catch {
    return undefined
  }
}

/** The body of the order. */
export function bodyOf(kind: CommandKind, values: CommandValues, waitS: number): NewCommand {
  const wait_s = waitS
  if (kind.kind === 'jt808_route') return { route_of_permit: Number(values.permit), wait_s }
  if (kind.kind === 'jt808_set_parameters') {
    // The ids of the standard: heartbeat, default interval, maximum speed.
    const parameters = [{ id: 0x0001, value: values.heartbeat }, { id: 0x0029, value: values.interval }, { id: 0x0055, value: values.speed }]
    return { command: { kind: kind.kind, parameters }, wait_s }
  }
  const command: CommandValues = { kind: kind.kind }
  for (const field of kind.fields) {
    const value = values[field.name]
    if (field.kind === 'span') {
      const [from, to] = value as [Date, Date]
      command.from = from.toISOString()
      command.to = to.toISOString()
    } else if (field.kind === 'json') command[field.name] = parsed(value)
    else if (typeof value === 'string') command[field.name] = value.trim()
    else command[field.name] = value
  }
  return { command, wait_s }
}
