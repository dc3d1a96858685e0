/** The colour of each closed word. Red needs a person now, orange soon, violet is doubt, grey is over or off. */

export type Tone = 'red' | 'orange' | 'green' | 'blue' | 'grey' | 'violet'

const TONES: Record<string, Record<string, Tone>> = {
  severity: { urgent: 'red', high: 'red', normal: 'orange', low: 'blue' },
  alertState: { open: 'red', acknowledged: 'blue', cleared: 'grey', withdrawn: 'grey' },
  episodeClass: { violation: 'red', device_fault: 'orange', doubtful_data: 'violet' },
  presence: { online: 'green', connected: 'blue', silent: 'orange', never: 'grey', disabled: 'grey' },
  caseState: {
    registered: 'orange', verifying: 'orange', filed: 'blue', dispatched: 'blue', handled: 'violet',
    closed: 'green', rejected: 'grey', voided: 'grey',
  },
  verdict: { stored: 'green', revised: 'blue', duplicate: 'grey', quarantined: 'orange', refused: 'red', pending: 'grey' },
  level: { error: 'red', warning: 'orange', info: 'blue' },
  flag: {
    normal: 'green', stopped: 'grey', maintenance: 'grey', manual: 'violet', fault: 'orange', calibration: 'grey',
    over_range: 'violet', link_broken: 'orange', unknown: 'violet', impossible: 'violet',
  },
  truckState: { moving: 'green', stopped: 'blue', off_route: 'red', silent: 'grey', no_fix: 'grey' },
  enabled: { true: 'green', false: 'grey' },
  commandState: { queued: 'grey', sent: 'blue', confirmed: 'blue', done: 'green', failed: 'red', expired: 'grey', cancelled: 'grey', unknown: 'violet' },
  silenceState: { planned: 'blue', active: 'violet', ended: 'grey' },
  deliveryState: { queued: 'blue', sending: 'blue', sent: 'green', failed: 'red', expired: 'orange', suppressed: 'grey' },
  standing: { over: 'red', near: 'orange', ok: 'green', none: 'grey' },
}

export function toneOf(kind: string, value: string): Tone {
  return TONES[kind]?.[value] ?? 'grey'
}
