/** The colour of a thing on the map, and the word that goes with it. */

import type { MapReading, Presence, TruckFix } from '@/api/types'
import type { Tone } from './things'

export type TruckWord = 'alarm' | 'moving' | 'stopped' | 'no_fix' | 'silent'
export type SubjectWord = 'alarm' | 'over' | 'online' | 'silent' | 'none'

export function truckWord(fix: Pick<TruckFix, 'open_alerts' | 'presence' | 'fixed' | 'speed_kmh'>): TruckWord {
  if (fix.open_alerts > 0) return 'alarm'
  if (fix.presence !== 'online') return 'silent'
  if (!fix.fixed) return 'no_fix'
  return fix.speed_kmh >= 3 ? 'moving' : 'stopped'
}

export function subjectWord(state: { presence: Presence; open_alerts: number; reading?: MapReading | null }): SubjectWord {
  if (state.open_alerts > 0) return 'alarm'
  const reading = state.reading
  if (reading && reading.valid && reading.limit !== undefined && reading.limit !== null && reading.value > reading.limit) return 'over'
  if (state.presence === 'online') return 'online'
  return state.presence === 'silent' ? 'silent' : 'none'
}

export const TRUCK_TONE: Record<TruckWord, Tone> = { alarm: 'red', moving: 'green', stopped: 'blue', no_fix: 'grey', silent: 'grey' }
export const SUBJECT_TONE: Record<SubjectWord, Tone> = { alarm: 'red', over: 'orange', online: 'green', silent: 'grey', none: 'grey' }
