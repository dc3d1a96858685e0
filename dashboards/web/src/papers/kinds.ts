/** The kinds of papers: what a list shows of each and what its form asks for. One table, so that page, cards and form agree. */

import { papers } from '@/api/client'
import type { SubjectKind } from '@/api/types'

export const PAPER_KINDS = ['notices', 'areas', 'night_permits', 'cleanings', 'manifests', 'maintenances', 'schedules', 'backgrounds'] as const
export type PaperKind = (typeof PAPER_KINDS)[number]

export type FieldType = 'text' | 'long' | 'number' | 'word' | 'words' | 'time' | 'subject' | 'device' | 'grids' | 'quantity' | 'windows' | 'shape'

export interface Field {
  name: string
  type: FieldType
  required?: boolean
  /** For words: the message area and its words. */
  of?: string
  words?: readonly string[]
  /** For subjects. */
  kind?: SubjectKind
  unit?: string
  max?: number
}

export type ColumnType = 'text' | 'mono' | 'word' | 'words' | 'time' | 'until' | 'subject' | 'device' | 'grids' | 'quantity' | 'windows' | 'standing' | 'number' | 'void' | 'picture' | 'size'

export interface Column {
  name: string
  type: ColumnType
  of?: string
  unit?: string
  /** What stands there when it is empty. */
  empty?: string
}

export interface PaperSpec {
  list: (query: { q?: string; subject?: number; standing?: string; cursor?: string; limit?: number }) => Promise<{ items: PaperRow[]; next?: string | null; total?: number | null }>
  put: (body: never) => Promise<PaperRow>
  columns: Column[]
  fields: Field[]
  /** It can be marked as entered by mistake. */
  voids: boolean
  /** It has a span, so that lists can be cut by where it stands. */
  stands: boolean
  csv?: 'cleanings' | 'manifests' | 'night_permits'
}

export type PaperRow = { id: number } & Record<string, unknown>

const SPAN: Field[] = [{ name: 'valid_from', type: 'time', required: true }, { name: 'valid_to', type: 'time' }]
const SPAN_END: Field[] = [{ name: 'valid_from', type: 'time', required: true }, { name: 'valid_to', type: 'time', required: true }]
const FROM_TO: Column[] = [{ name: 'valid_from', type: 'time' }, { name: 'valid_to', type: 'until' }]
const STANDING: Column = { name: 'standing', type: 'standing' }

const PURPOSES = ['no_go', 'parking', 'temporary_dump', 'speed', 'transfer', 'sensitive'] as const
const PARTS = ['hood', 'duct', 'purifier', 'fan'] as const

/** The client's typed calls behind one shape: what a form sends was made by the fields of the same kind. */
const calls = (kind: PaperKind) => papers[kind] as unknown as Pick<PaperSpec, 'list' | 'put'>

export const SPECS: Record<PaperKind, PaperSpec> = {
  notices: {
    ...calls('notices'), voids: true, stands: true,
    columns: [{ name: 'code', type: 'mono' }, { name: 'level', type: 'word', of: 'noticeLevel' }, STANDING, { name: 'stops', type: 'words', of: 'stoppedWork' }, { name: 'grids', type: 'grids' }, ...FROM_TO, { name: 'source', type: 'text' }],
    fields: [{ name: 'code', type: 'text', required: true, max: 64 }, { name: 'level', type: 'word', required: true, of: 'noticeLevel', words: ['yellow', 'orange', 'red'] }, { name: 'stops', type: 'words', required: true, of: 'stoppedWork', words: ['earthwork', 'muck_transport'] }, { name: 'grids', type: 'grids' }, ...SPAN, { name: 'source', type: 'long', max: 4000 }],
  },
  areas: {
    ...calls('areas'), voids: false, stands: true,
    columns: [{ name: 'code', type: 'mono' }, { name: 'name', type: 'text' }, { name: 'purpose', type: 'word', of: 'areaPurpose' }, STANDING, { name: 'shape', type: 'size' }, { name: 'speed_limit_kmh', type: 'number', unit: 'km/h' }, { name: 'windows', type: 'windows' }, ...FROM_TO],
    fields: [{ name: 'code', type: 'text', required: true, max: 64 }, { name: 'name', type: 'text', required: true, max: 200 }, { name: 'purpose', type: 'word', required: true, of: 'areaPurpose', words: PURPOSES }, { name: 'speed_limit_kmh', type: 'number', unit: 'km/h' }, { name: 'shape', type: 'shape', required: true }, { name: 'windows', type: 'windows' }, ...SPAN],
  },
  night_permits: {
    ...calls('night_permits'), voids: true, stands: true, csv: 'night_permits',
    columns: [{ name: 'code', type: 'mono' }, { name: 'site', type: 'subject' }, STANDING, { name: 'windows', type: 'windows' }, { name: 'issuer', type: 'text' }, { name: 'reason', type: 'text' }, ...FROM_TO],
    fields: [{ name: 'code', type: 'text', required: true, max: 64 }, { name: 'site', type: 'subject', kind: 'site', required: true }, { name: 'issuer', type: 'text', max: 200 }, { name: 'reason', type: 'text', max: 500 }, ...SPAN_END, { name: 'windows', type: 'windows' }],
  },
  cleanings: {
    ...calls('cleanings'), voids: true, stands: false, csv: 'cleanings',
    columns: [{ name: 'cleaned_at', type: 'time' }, { name: 'subject', type: 'subject' }, { name: 'parts', type: 'words', of: 'cleaningPart' }, { name: 'cleaned_by', type: 'text' }, { name: 'picture', type: 'picture' }, { name: 'note', type: 'text' }, { name: 'void', type: 'void' }],
    fields: [{ name: 'subject', type: 'subject', kind: 'restaurant', required: true }, { name: 'cleaned_at', type: 'time', required: true }, { name: 'parts', type: 'words', required: true, of: 'cleaningPart', words: PARTS }, { name: 'cleaned_by', type: 'text', max: 200 }, { name: 'picture', type: 'text', max: 200 }, { name: 'note', type: 'text', max: 500 }],
  },
  manifests: {
    ...calls('manifests'), voids: true, stands: false, csv: 'manifests',
    columns: [{ name: 'code', type: 'mono' }, { name: 'source', type: 'word', of: 'manifestSource' }, { name: 'truck', type: 'subject' }, { name: 'site', type: 'subject' }, { name: 'disposal_site', type: 'subject' }, { name: 'loaded_at', type: 'time' }, { name: 'unloaded_at', type: 'time', empty: 'paper.underWay' }, { name: 'volume_m3', type: 'number', unit: 'm³' }, { name: 'void', type: 'void' }],
    fields: [{ name: 'code', type: 'text', required: true, max: 64 }, { name: 'source', type: 'word', required: true, of: 'manifestSource', words: ['driver', 'gps'] }, { name: 'truck', type: 'subject', kind: 'truck', required: true }, { name: 'volume_m3', type: 'number', unit: 'm³' }, { name: 'site', type: 'subject', kind: 'site' }, { name: 'disposal_site', type: 'subject', kind: 'disposal_site' }, { name: 'loaded_at', type: 'time', required: true }, { name: 'unloaded_at', type: 'time' }],
  },
  maintenances: {
    ...calls('maintenances'), voids: true, stands: true,
    columns: [{ name: 'device', type: 'device' }, { name: 'subject', type: 'subject' }, STANDING, ...FROM_TO, { name: 'why', type: 'text' }],
    fields: [{ name: 'device', type: 'device' }, { name: 'subject', type: 'subject' }, ...SPAN_END, { name: 'why', type: 'long', required: true, max: 500 }],
  },
  schedules: {
    ...calls('schedules'), voids: false, stands: true,
    columns: [{ name: 'subject', type: 'subject' }, { name: 'subject_kind', type: 'word', of: 'subjectKind' }, STANDING, { name: 'open', type: 'windows' }, { name: 'peaks', type: 'windows', empty: 'paper.unknown' }, ...FROM_TO],
    fields: [{ name: 'subject', type: 'subject' }, { name: 'subject_kind', type: 'word', of: 'subjectKind', words: ['restaurant', 'site', 'disposal_site'] }, { name: 'open', type: 'windows' }, { name: 'peaks', type: 'windows' }, ...SPAN],
  },
  backgrounds: {
    ...calls('backgrounds'), voids: false, stands: true,
    columns: [{ name: 'quantity', type: 'quantity' }, { name: 'device', type: 'device' }, STANDING, { name: 'region', type: 'mono' }, { name: 'source', type: 'text' }, ...FROM_TO],
    fields: [{ name: 'quantity', type: 'quantity', required: true }, { name: 'device', type: 'device', required: true }, { name: 'region', type: 'text', max: 64 }, { name: 'source', type: 'text', max: 500 }, ...SPAN],
  },
}
