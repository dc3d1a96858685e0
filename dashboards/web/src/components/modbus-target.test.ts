/** What the form takes for an address, and what it sends. */
import { describe, expect, it } from 'vitest'
import { emptyTarget, isModbusAddress, toPoll } from './modbus-target'

describe('a Modbus target', () => {
  it('knows each kind of address', () => {
    for (const right of ['10.0.0.5:502', 'tcp://plc.example:502', '[::1]:502', 'rtu+tcp://10.0.0.6:8899', 'dtu://860000000000001', '/dev/ttyUSB0', '/dev/ttyUSB0,9600,8N1', 'serial:/dev/ttyS1,19200,8e1']) expect(isModbusAddress(right), right).toBe(true)
    for (const wrong of ['', '10.0.0.5', '10.0.0.5:0', 'http://x:80/a', 'dtu://', 'dtu://a b', '/etc/passwd', '/dev/ttyUSB0,9600,7E1']) expect(isModbusAddress(wrong), wrong).toBe(false)
  })

  it('sends a packet for a modem alone, without what its form has no use for', () => {
    const form = { ...emptyTarget(), address: 'dtu://8600', dtu: { form: 'line' as const, prefix: 'x', suffix: 'y', heartbeat: 'PING' } }
    expect(toPoll(form).dtu).toEqual({ form: 'line', prefix: '', suffix: '', heartbeat: 'PING' })
    expect(toPoll({ ...form, address: '10.0.0.5:502' }).dtu).toBeUndefined()
    expect(emptyTarget(toPoll(form)).dtu.heartbeat).toBe('PING')
  })
})
