import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { messages } from './messages'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, lead = ''): Map<string, string> {
  const out = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') out.set(lead + key, value)
    else for (const [inner, text] of flat(value, `${lead}${key}.`)) out.set(inner, text)
  }
  return out
}

const zh = flat(messages['zh-CN'])
const en = flat(messages.en)
const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort()

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'i18n' ? [] : sources(path)
    return /\.(vue|ts)$/.test(entry.name) && !/\.test\.ts$|schema\.d\.ts$/.test(entry.name) ? [readFileSync(path, 'utf8')] : []
  })
}

describe('the two languages', () => {
  it('have the same keys', () => {
    expect([...en.keys()].sort()).toEqual([...zh.keys()].sort())
  })
  it('name the same places in every message', () => {
    for (const [key, text] of zh) expect(places(en.get(key) ?? ''), key).toEqual(places(text))
  })
  it('have every key that the page asks for', () => {
    const text = sources(fileURLToPath(new URL('..', import.meta.url))).join('\n')
    const asked = new Set([...text.matchAll(/\bt\(\s*'([\w.]+)'/g)].map((match) => match[1] ?? ''))
    const missing = [...asked].filter((key) => !zh.has(key))
    expect(missing).toEqual([])
    expect(asked.size).toBeGreaterThan(200)
  })
  it('have words for every closed set of the contract', () => {
    const spec = JSON.parse(readFileSync(fileURLToPath(new URL('../../../openapi.json', import.meta.url)), 'utf8')) as { components: { schemas: Record<string, { enum?: string[] }> } }
    const sets: Record<string, string> = {
      AlertState: 'alertState', CaseMove: 'caseMove', CaseState: 'caseState', CommandState: 'commandState', EpisodeClass: 'episodeClass', Flag: 'flag', HitKind: 'hitKind', ImportKind: 'importKind',
      Level: 'level', OutageKind: 'outage', Presence: 'presence', ChannelKind: 'channelKind', DeliveryKind: 'deliveryKind', DeliveryState: 'deliveryState', SilenceState: 'silenceState', MailSecurity: 'mailSecurity', Protocol: 'protocol', QuarantineReason: 'quarantineReason', RecordKind: 'recordKind',
      RefusalReason: 'refusalReason', Role: 'role', Severity: 'severity', Statistic: 'statistic', SubjectKind: 'subjectKind', Verdict: 'verdict',
    }
    for (const [schema, group] of Object.entries(sets)) {
      for (const word of spec.components.schemas[schema]?.enum ?? ['(no such schema)']) expect(zh.has(`${group}.${word}`), `${group}.${word}`).toBe(true)
    }
  })
})
