/** The loss ledger of a device and of the district, and the trace of frames: live, held still, filtered, taken along. */

import { readFileSync } from 'node:fs'
import { api, expect, expectAccessible, test } from './support'

const DEVICE = process.env.LANTIAN_DEVICE ?? ''

test('the district is listed with the worst first, in both languages, and can be taken along', async ({ page }) => {
  await page.goto('/ledger')
  const rows = page.getByTestId('ledger').locator('tbody tr[data-device]')
  await expect(rows.first()).toBeVisible()
  await expect(page.getByTestId('ledger').locator('.ledger-sum')).toContainText('合计')
  const gaps = await api<{ rows: { gaps?: { missing: number } }[] }>(page, 'GET', '/ledger?sort=gap&limit=200')
  const missing = gaps.rows.map((row) => row.gaps?.missing ?? 0)
  expect(missing).toEqual([...missing].sort((a, b) => b - a))
  await expectAccessible(page)
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
  expect(wide).toBeLessThanOrEqual(room ?? 0)
  const download = page.waitForEvent('download')
  await page.getByTestId('ledger-export').click()
  const text = readFileSync(await (await download).path(), 'utf8')
  expect(text.split('\r\n')[0]).toContain('缺数分钟')
  expect(text).toContain(DEVICE)
})

test('a device tells its days: counts that balance, gaps and the clock', async ({ page }) => {
  await page.goto(`/devices?q=${DEVICE}`)
  await page.getByTestId('devices').getByRole('link', { name: DEVICE }).click()
  await page.getByRole('tab', { name: '收支账' }).click()
  const days = page.getByTestId('device-ledger').locator('tbody tr')
  await expect(days).toHaveCount(7)
  await expect(days.first()).toContainText('%')
  await expect(days.nth(6)).toContainText('尚无应报数据')
  await expectAccessible(page)
})

test('frames come by themselves, can be held still, filtered and taken along as text', async ({ page }) => {
  await page.goto(`/devices?q=${DEVICE}`)
  await page.getByTestId('devices').getByRole('link', { name: DEVICE }).click()
  const frames = page.getByTestId('frames').locator('tbody tr')
  await expect(frames.first()).toBeVisible()
  const first = async (): Promise<string> => (await frames.first().locator('td').first().textContent()) ?? ''
  const before = await first()
  await expect.poll(first, { timeout: 30_000 }).not.toBe(before)
  await page.getByTestId('trace-pause').click()
  await expect(page.getByTestId('trace')).toContainText('已暂停')
  await frames.first().getByRole('button', { name: '查看' }).click()
  await page.getByTestId('explain-frame').click()
  await expect(page.getByTestId('explained')).toBeVisible()
  const download = page.waitForEvent('download')
  await page.getByTestId('trace-save').click()
  const text = readFileSync(await (await download).path(), 'utf8')
  expect(text).toContain('▲')
  expect(text).toContain('入库')
  await page.getByTestId('trace-pause').click()
  await expect(page.getByTestId('trace')).toContainText('实时推送')
})
