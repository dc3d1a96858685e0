/** Draws `docs/images` from a running demonstration. */

import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { api, expect, test } from './support'

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url))

test('the pictures of the README', async ({ page }, info) => {
  test.skip(info.project.name !== '1920x1080', 'one size is enough')
  test.setTimeout(120_000)
  mkdirSync(FOLDER, { recursive: true })
  await page.goto('/overview')
  const alerts = await api<{ items: { device?: { id: number }; rule: string }[] }>(page, 'GET', '/alerts?limit=100')
  const cases = await api<{ items: { id: number; rule: string }[] }>(page, 'GET', '/cases?limit=100')
  const device = alerts.items.find((one) => one.rule === 'fume-exceedance')?.device ?? alerts.items.find((one) => one.device)?.device
  const shown = cases.items.find((one) => one.rule === 'fume-exceedance') ?? cases.items[0]
  const shots: [name: string, path: string, wait: string][] = [
    ['overview', '/overview', '.tiles'],
    ['map', '/map', '.map-view:not([data-things="0"])'],
    ['alerts', '/alerts?state=all', '[data-test="alerts"] tbody tr'],
    ['quarantine', '/quarantine', '[data-test="unknown"]'],
    ...(device ? [['device', `/devices/${device.id}?hours=1`, '.series-chart canvas'] as [string, string, string]] : []),
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
