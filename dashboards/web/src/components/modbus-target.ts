/** The form's side of a Modbus target; the server has the last word on what an address is. */
import type { PollTarget } from '@/api/types'

export interface ModbusTargetForm {
  address: string
  unit: number
  interval_s: number
  dtu: { form: 'text' | 'line' | 'hex' | 'framed'; prefix: string; suffix: string; heartbeat: string }
}

export function emptyTarget(poll?: PollTarget | null): ModbusTargetForm {
  const { form = 'text', prefix = '', suffix = '', heartbeat = '' } = poll?.dtu ?? {}
  return { address: poll?.address ?? '', unit: poll?.unit ?? 1, interval_s: Math.round((poll?.interval_ms ?? 10_000) / 1000), dtu: { form, prefix, suffix, heartbeat } }
}

/** `host:port`, with tcp:// or rtu+tcp://, dtu://identity, or a path below /dev/. */
export function isModbusAddress(text: string): boolean {
  return /^(?:tcp:\/\/|rtu\+tcp:\/\/)?(?:\[[0-9a-fA-F:.]+\]|[^:/\s]+):[1-9]\d{0,4}$/.test(text) || /^dtu:\/\/[!-~]{1,64}$/.test(text) || /^(?:serial:)?\/dev\/[^\s,]+(?:,\s*\d+(?:,\s*8[NEOneo][12])?)?$/.test(text)
}

/** What is sent; a packet belongs to a modem alone, and fields that its form has no use for are left empty. */
export function toPoll(form: ModbusTargetForm, old?: PollTarget | null): PollTarget {
  const { form: kind, prefix, suffix, heartbeat } = form.dtu
  const dtu = form.address.startsWith('dtu://')
    ? { form: kind, prefix: kind === 'hex' || kind === 'framed' ? prefix : '', suffix: kind === 'framed' ? suffix : '', heartbeat }
    : undefined
  return { ...old, address: form.address.trim(), unit: form.unit, interval_ms: form.interval_s * 1000, dtu }
}
