import { expect, it } from 'vitest'
import { menuFor } from './menu'

it('shows a vendor nothing but devices, their alerts, their ledger and the explainer', () => {
  expect(menuFor(['view_own_devices']).flatMap((group) => group.items.map((item) => item.to))).toEqual(['/alerts', '/devices', '/ledger', '/explain'])
})

it('shows people and audit to administrators only', () => {
  const paths = menuFor(['view', 'view_own_devices', 'handle_alerts']).flatMap((group) => group.items.map((item) => item.to))
  expect(paths).not.toContain('/users')
  expect(paths).toContain('/cases')
})
