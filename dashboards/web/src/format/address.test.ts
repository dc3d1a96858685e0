import { expect, it } from 'vitest'
import { reachable } from './address'

it('puts the host of the page where the server listens on every interface', () => {
  expect(reachable('0.0.0.0:1883', '10.1.2.3')).toBe('10.1.2.3:1883')
  expect(reachable('[::]:9212', 'lantian.example')).toBe('lantian.example:9212')
  expect(reachable('192.168.0.9:1883', '10.1.2.3')).toBe('192.168.0.9:1883')
})
