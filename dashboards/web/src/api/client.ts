/**
 * Every call to the server, in one place and typed by the contract (`schema.d.ts`, generated from `openapi.json`).
 * A failed call throws an {@link ApiProblem} with the stable code that the page translates.
 */

import createClient from 'openapi-fetch'
import type { paths } from './schema'
import type {
  AcceptUnknown, ChangePassword, EditDevice, FieldProblem, ImportKind, Language, LoginRequest, MoveRequest, NewClaim, NewCommand, NewDevice, NewInstallation, NewSilence,
  NewUser, NotifyPolicy, Problem, PutArea, PutBackground, PutChannel, PutCleaning, PutLimit, PutMaintenance, PutManifest, PutNightPermit, PutNotice, PutPermit,
  PutSchedule, PutSubject, RejectUnknown,
} from './types'

export class ApiProblem extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly field: string | null = null,
    readonly detail: string | null = null,
    readonly problems: FieldProblem[] = [],
  ) {
    super(message)
  }

  static from(error: unknown): ApiProblem {
    if (error instanceof ApiProblem) return error
    return new ApiProblem('network', error instanceof Error ? error.message : String(error), 0)
  }
}

type Listener = (problem: ApiProblem) => void
let onRefused: Listener | null = null

/** Told of answers 401 and of `password_change_required`, so that the page can lead to the right place. */
export function whenRefused(listener: Listener): void {
  onRefused = listener
}

const http = createClient<paths>({ baseUrl: '' })

interface Answer {
  data?: unknown
  error?: unknown
  response: Response
}

async function take<A extends Answer>(asked: Promise<A>): Promise<Exclude<A['data'], undefined>> {
  const { data, error, response } = await asked
  if (response.ok) return data as Exclude<A['data'], undefined>
  const body = (typeof error === 'object' && error !== null ? error : {}) as Partial<Problem>
  const problem = new ApiProblem(
    body.code ?? (response.status >= 500 ? 'unavailable' : 'unknown'),
    body.message ?? response.statusText,
    response.status,
    body.field ?? null,
    body.detail ?? null,
    body.problems ?? [],
  )
  if (problem.code === 'unauthenticated' || problem.code === 'password_change_required') onRefused?.(problem)
  throw problem
}

/** The address of a server-made file under a filter. */
export function exportHref(what: 'alerts' | 'cases' | 'ledger', query: object): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(clean(query))) params.set(key, String(value))
  return `/api/v1/${what}/export?${params.toString()}`
}

type QueryOf<P extends keyof paths> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? Exclude<Q, undefined> : never

/** Leaves out empty filters. */
function clean<T extends object>(query: T): T {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== null && value !== '') out[key] = value
  return out as T
}

const at = (id: number) => ({ params: { path: { id } } })

type ListQuery = QueryOf<'/api/v1/areas'>

/** The special registers: a list and an edit of each kind. */
export const papers = {
  areas: {
    list: (query: ListQuery) => take(http.GET('/api/v1/areas', { params: { query: clean(query) } })),
    put: (body: PutArea) => take(http.PUT('/api/v1/areas', { body })),
  },
  notices: {
    list: (query: ListQuery) => take(http.GET('/api/v1/notices', { params: { query: clean(query) } })),
    put: (body: PutNotice) => take(http.PUT('/api/v1/notices', { body })),
  },
  night_permits: {
    list: (query: ListQuery) => take(http.GET('/api/v1/night-permits', { params: { query: clean(query) } })),
    put: (body: PutNightPermit) => take(http.PUT('/api/v1/night-permits', { body })),
  },
  cleanings: {
    list: (query: ListQuery) => take(http.GET('/api/v1/cleanings', { params: { query: clean(query) } })),
    put: (body: PutCleaning) => take(http.PUT('/api/v1/cleanings', { body })),
  },
  manifests: {
    list: (query: ListQuery) => take(http.GET('/api/v1/manifests', { params: { query: clean(query) } })),
    put: (body: PutManifest) => take(http.PUT('/api/v1/manifests', { body })),
  },
  maintenances: {
    list: (query: ListQuery) => take(http.GET('/api/v1/maintenances', { params: { query: clean(query) } })),
    put: (body: PutMaintenance) => take(http.PUT('/api/v1/maintenances', { body })),
  },
  schedules: {
    list: (query: ListQuery) => take(http.GET('/api/v1/schedules', { params: { query: clean(query) } })),
    put: (body: PutSchedule) => take(http.PUT('/api/v1/schedules', { body })),
  },
  backgrounds: {
    list: (query: ListQuery) => take(http.GET('/api/v1/backgrounds', { params: { query: clean(query) } })),
    put: (body: PutBackground) => take(http.PUT('/api/v1/backgrounds', { body })),
  },
}

export const api = {
  // -- who --
  login: (body: LoginRequest) => take(http.POST('/api/v1/auth/login', { body })),
  logout: () => take(http.POST('/api/v1/auth/logout')),
  me: () => take(http.GET('/api/v1/auth/me')),
  changePassword: (body: ChangePassword) => take(http.POST('/api/v1/auth/password', { body })),
  setLanguage: (language: Language) => take(http.PUT('/api/v1/auth/language', { body: { language } })),

  // -- now --
  overview: () => take(http.GET('/api/v1/overview')),
  outages: () => take(http.GET('/api/v1/outages')),
  health: () => take(http.GET('/api/v1/health')),
  map: () => take(http.GET('/api/v1/map')),
  search: (q: string) => take(http.GET('/api/v1/search', { params: { query: { q, limit: 20 } } })),

  // -- alerts --
  alerts: (query: QueryOf<'/api/v1/alerts'>) => take(http.GET('/api/v1/alerts', { params: { query: clean(query) } })),
  alert: (id: number) => take(http.GET('/api/v1/alerts/{id}', at(id))),
  acknowledge: (id: number, comment?: string) => take(http.POST('/api/v1/alerts/{id}/acknowledge', { ...at(id), body: { comment } })),
  acknowledgeAll: (ids: number[], comment?: string) => take(http.POST('/api/v1/alerts/acknowledge', { body: { ids, comment } })),
  assign: (id: number, user: number | undefined, comment?: string) => take(http.POST('/api/v1/alerts/{id}/assign', { ...at(id), body: { user, comment } })),
  assignees: () => take(http.GET('/api/v1/assignees')),
  silences: (all: boolean) => take(http.GET('/api/v1/silences', { params: { query: { all } } })),
  newSilence: (body: NewSilence) => take(http.POST('/api/v1/silences', { body })),
  endSilence: (id: number) => take(http.POST('/api/v1/silences/{id}/end', at(id))),
  channels: () => take(http.GET('/api/v1/notify/channels')),
  putChannel: (body: PutChannel) => take(http.PUT('/api/v1/notify/channels', { body })),
  testChannel: (id: number) => take(http.POST('/api/v1/notify/channels/{id}/test', at(id))),
  notifyPolicy: () => take(http.GET('/api/v1/notify/policy')),
  putNotifyPolicy: (version: number, policy: NotifyPolicy) => take(http.PUT('/api/v1/notify/policy', { body: { version, policy } })),
  deliveries: (query: QueryOf<'/api/v1/notify/deliveries'>) => take(http.GET('/api/v1/notify/deliveries', { params: { query: clean(query) } })),
  sendAgain: (id: number) => take(http.POST('/api/v1/notify/deliveries/{id}/again', at(id))),
  comment: (id: number, text: string) => take(http.POST('/api/v1/alerts/{id}/comments', { ...at(id), body: { text } })),

  // -- cases --
  cases: (query: QueryOf<'/api/v1/cases'>) => take(http.GET('/api/v1/cases', { params: { query: clean(query) } })),
  case: (id: number) => take(http.GET('/api/v1/cases/{id}', at(id))),
  moveCase: (id: number, body: MoveRequest, key: string) =>
    take(http.POST('/api/v1/cases/{id}/moves', { params: { path: { id }, header: { 'Idempotency-Key': key } }, body })),

  // -- devices --
  devices: (query: QueryOf<'/api/v1/devices'>) => take(http.GET('/api/v1/devices', { params: { query: clean(query) } })),
  device: (id: number) => take(http.GET('/api/v1/devices/{id}', at(id))),
  newDevice: (body: NewDevice) => take(http.POST('/api/v1/devices', { body })),
  editDevice: (id: number, body: EditDevice) => take(http.PUT('/api/v1/devices/{id}', { ...at(id), body })),
  rotate: (id: number) => take(http.POST('/api/v1/devices/{id}/credential', at(id))),
  setEnabled: (id: number, enabled: boolean) => take(http.POST('/api/v1/devices/{id}/enabled', { ...at(id), body: { enabled } })),
  install: (id: number, body: NewInstallation) => take(http.POST('/api/v1/devices/{id}/installations', { ...at(id), body })),
  series: (id: number, query: QueryOf<'/api/v1/devices/{id}/series'>) =>
    take(http.GET('/api/v1/devices/{id}/series', { params: { path: { id }, query } })),
  frames: (id: number) => take(http.GET('/api/v1/devices/{id}/frames', at(id))),
  explain: (text: string) => take(http.POST('/api/v1/explain', { body: { text } })),
  explainFrame: (id: number, partition: number, seq: number) =>
    take(http.GET('/api/v1/devices/{id}/explanation', { params: { path: { id }, query: { partition, seq } } })),
  deviceEvents: (id: number) => take(http.GET('/api/v1/devices/{id}/events', { params: { path: { id }, query: { limit: 100 } } })),
  commands: (id: number, query: QueryOf<'/api/v1/devices/{id}/commands'>) =>
    take(http.GET('/api/v1/devices/{id}/commands', { params: { path: { id }, query: clean(query) } })),
  orderCommand: (id: number, body: NewCommand) => take(http.POST('/api/v1/devices/{id}/commands', { ...at(id), body })),
  cancelCommand: (id: number, command: number) =>
    take(http.POST('/api/v1/devices/{id}/commands/{command}/cancel', { params: { path: { id, command } } })),
  ledger: (id: number, from: string, to: string) =>
    take(http.GET('/api/v1/devices/{id}/ledger', { params: { path: { id }, query: { from, to } } })),
  districtLedger: (query: QueryOf<'/api/v1/ledger'>) => take(http.GET('/api/v1/ledger', { params: { query: clean(query) } })),
  loss: (id: number, from_day: string, to_day: string) =>
    take(http.GET('/api/v1/devices/{id}/loss', { params: { path: { id }, query: { from_day, to_day } } })),

  // -- subjects --
  subjects: (query: QueryOf<'/api/v1/subjects'>) => take(http.GET('/api/v1/subjects', { params: { query: clean(query) } })),
  subject: (id: number) => take(http.GET('/api/v1/subjects/{id}', at(id))),
  newSubject: (body: PutSubject) => take(http.POST('/api/v1/subjects', { body })),
  putSubject: (id: number, body: PutSubject) => take(http.PUT('/api/v1/subjects/{id}', { ...at(id), body })),

  // -- registers --
  limits: () => take(http.GET('/api/v1/limits')),
  putLimit: (body: PutLimit) => take(http.PUT('/api/v1/limits', { body })),
  limitHistory: (id: number) => take(http.GET('/api/v1/limits/{id}/history', at(id))),
  permits: (query: QueryOf<'/api/v1/permits'>) => take(http.GET('/api/v1/permits', { params: { query: clean(query) } })),
  putPermit: (body: PutPermit) => take(http.PUT('/api/v1/permits', { body })),
  profiles: () => take(http.GET('/api/v1/profiles')),
  offices: () => take(http.GET('/api/v1/offices')),
  grids: () => take(http.GET('/api/v1/grids')),
  quantities: () => take(http.GET('/api/v1/quantities')),

  // -- rules --
  rules: () => take(http.GET('/api/v1/rules')),
  rule: (code: string) => take(http.GET('/api/v1/rules/{code}', { params: { path: { code } } })),
  ruleHistory: (code: string) => take(http.GET('/api/v1/rules/{code}/history', { params: { path: { code } } })),
  checkRule: (text: string) => take(http.POST('/api/v1/rules/check', { body: { text } })),
  putRule: (code: string, text: string, version: number, active: boolean) =>
    take(http.PUT('/api/v1/rules/{code}', { params: { path: { code } }, body: { text, version, active } })),
  rollBack: (code: string, to_version: number, version: number) =>
    take(http.POST('/api/v1/rules/{code}/rollback', { params: { path: { code } }, body: { to_version, version } })),

  // -- quarantine --
  unknown: () => take(http.GET('/api/v1/quarantine/unknown')),
  acceptUnknown: (body: AcceptUnknown) => take(http.POST('/api/v1/quarantine/unknown/accept', { body })),
  rejectUnknown: (body: RejectUnknown) => take(http.POST('/api/v1/quarantine/unknown/reject', { body })),
  refused: (device?: number) => take(http.GET('/api/v1/quarantine/refused', { params: { query: { device } } })),
  claims: () => take(http.GET('/api/v1/claims')),
  newClaim: (body: NewClaim) => take(http.POST('/api/v1/claims', { body })),
  revokeClaim: (id: number) => take(http.POST('/api/v1/claims/{id}/revoke', at(id))),
  addresses: () => take(http.GET('/api/v1/quarantine/addresses')),
  liftBan: (address: string) => take(http.POST('/api/v1/quarantine/addresses/lift', { body: { address } })),
  quarantined: (query: QueryOf<'/api/v1/quarantine/records'>) =>
    take(http.GET('/api/v1/quarantine/records', { params: { query: clean(query) } })),
  rederive: (device: number) => take(http.POST('/api/v1/quarantine/rederive', { body: { device } })),

  // -- people --
  users: () => take(http.GET('/api/v1/users')),
  newUser: (body: NewUser) => take(http.POST('/api/v1/users', { body })),
  resetPassword: (id: number) => take(http.POST('/api/v1/users/{id}/password', at(id))),
  setUserEnabled: (id: number, enabled: boolean) => take(http.POST('/api/v1/users/{id}/enabled', { ...at(id), body: { enabled } })),
  audit: (query: QueryOf<'/api/v1/audit'>) => take(http.GET('/api/v1/audit', { params: { query: clean(query) } })),

  // -- files --
  importCsv: (kind: ImportKind, text: string, commit: boolean) =>
    take(http.POST('/api/v1/imports', {
      params: { query: { kind, commit } },
      body: text,
      bodySerializer: (body: string) => body,
      headers: { 'Content-Type': 'text/csv' },
    })),
}
