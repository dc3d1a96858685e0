/** Draws `docs/images` from a running demonstration. */

import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createConnection } from 'node:net'
import { api, connect, expect, test } from './support'

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url))

/** Devices nobody knows, so that the quarantine has something to show. */
async function strangers(): Promise<void> {
  for (const code of ['fume-new-01', 'fume-new-02']) await connect(code, code, 'no-such-secret').catch(() => undefined)
  const [host = '', port = ''] = (process.env.LANTIAN_HJ212 ?? '').split(':')
  if (!port) return
  const data = 'QN=20261101080000000;ST=22;CN=2011;PW=123456;MN=4101LTDUST00000000000099;Flag=5;CP=&&DataTime=20261101080000;a34001-Rtd=0.15,a34001-Flag=N&&'
  let crc = 0xffff
  for (const byte of Buffer.from(data)) {
    crc = (crc >> 8) ^ byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1
  }
  const frame = `##${String(data.length).padStart(4, '0')}${data}${crc.toString(16).toUpperCase().padStart(4, '0')}\r\n`
  await new Promise<void>((done) => {
    const socket = createConnection({ host, port: Number(port) }, () => socket.end(frame))
    socket.on('close', () => done())
    socket.on('error', () => done())
    socket.resume()
  })
}

test('the pictures of the README', async ({ page }, info) => {
  test.skip(info.project.name !== '1920x1080', 'one size is enough')
  test.setTimeout(120_000)
  mkdirSync(FOLDER, { recursive: true })
  await strangers()
  await page.goto('/overview')
  const alerts = await api<{ items: { id: number; device?: { id: number }; rule: string; state: string }[] }>(page, 'GET', '/alerts?limit=100')
  const cases = await api<{ items: { id: number; rule: string }[] }>(page, 'GET', '/cases?limit=100')
  const fume = alerts.items.filter((one) => one.rule === 'fume-exceedance')
  const alert = fume.find((one) => one.state === 'open') ?? fume.find((one) => one.state === 'cleared')
  const device = alert?.device
  const shown = cases.items.find((one) => one.rule === 'fume-exceedance') ?? cases.items[0]
  const shots: [name: string, path: string, wait: string][] = [
    ['overview', '/overview', '.tiles'],
    ['map', '/map', '.map-view:not([data-things="0"])'],
    ['alerts', '/alerts?state=all', '[data-test="alerts"] tbody tr'],
    ['quarantine', '/quarantine', '[data-identity]'],
    ['rules', '/rules', 'table.data tbody tr'],
    ['system', '/system', '.facts'],
    ...(device ? [['device', `/devices/${device.id}?hours=0.25`, '.series-chart canvas'] as [string, string, string]] : []),
    ...(alert ? [['alert', `/alerts/${alert.id}`, '.series-chart canvas'] as [string, string, string]] : []),
    ...(shown ? [['case', `/cases/${shown.id}`, '.steps-bar'] as [string, string, string]] : []),
  ]
  for (const [name, path, wait] of shots) {
    await page.goto(path)
    await expect(page.locator(wait).first()).toBeVisible()
    await expect(page.getByText('正在加载')).toHaveCount(0)
    await expect(page.locator('.fresh')).toHaveClass(/live/)
    await page.evaluate(() => document.fonts.ready)
    await page.screenshot({ path: `${FOLDER}${name}.png`, animations: 'disabled' })
  }
})
