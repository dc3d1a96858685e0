import { describe, expect, it } from 'vitest'
import { bodyOf, isComplete, kindsOf, startValues } from './commands'
import { messages } from '@/i18n/messages'

const NOW = Date.parse('2026-11-22T04:00:00Z')
const find = (protocol: 'hj212' | 'jt808' | 'mqtt', kind: string) => kindsOf(protocol).find((one) => one.kind === kind)!

describe('the commands of a page', () => {
  it('order a history by two moments', () => {
    const kind = find('hj212', 'hj212_history')
    expect(bodyOf(kind, startValues(kind, NOW), 60)).toEqual({
      command: { kind: 'hj212_history', what: 'minute', from: '2026-11-22T03:00:00.000Z', to: '2026-11-22T04:00:00.000Z' }, wait_s: 60,
    })
  })
  it('order a route by its permit and parameters by their ids', () => {
    expect(bodyOf(find('jt808', 'jt808_route'), { permit: 7 }, 60)).toEqual({ route_of_permit: 7, wait_s: 60 })
    const kind = find('jt808', 'jt808_set_parameters')
    expect(bodyOf(kind, startValues(kind, NOW), 60).command).toEqual({ kind: 'jt808_set_parameters', parameters: [{ id: 1, value: 60 }, { id: 41, value: 30 }, { id: 85, value: 80 }] })
  })
  it('wait for what is missing', () => {
    const text = find('jt808', 'jt808_text')
    expect(isComplete(text, startValues(text, NOW))).toBe(false)
    expect(isComplete(text, { ...startValues(text, NOW), text: '请覆盖篷布' })).toBe(true)
    const json = find('mqtt', 'mqtt')
    expect(isComplete(json, { payload: '{"fan":' })).toBe(false)
    expect(bodyOf(json, { payload: '{"fan":"on"}' }, 60).command).toEqual({ kind: 'mqtt', payload: { fan: 'on' } })
  })
  it('have words for each kind, field and choice', () => {
    const words = messages['zh-CN'] as unknown as { commandKind: Record<string, string>; commandField: Record<string, string>; commandChoice: Record<string, string> }
    for (const kind of (['hj212', 'jt808', 'mqtt'] as const).flatMap(kindsOf)) {
      expect(words.commandKind[kind.kind], kind.kind).toBeTruthy()
      for (const field of kind.fields) {
        expect(words.commandField[field.name], field.name).toBeTruthy()
        for (const choice of field.choices ?? []) if (typeof choice === 'string') expect(words.commandChoice[choice], choice).toBeTruthy()
      }
    }
  })
})
