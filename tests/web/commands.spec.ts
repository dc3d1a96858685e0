import { expect, type Page } from '@playwright/test'
import { api, test } from './support'

interface Row { id: number; code: string }

/** An online device of a protocol whose code or name has the word in it. */
async function online(page: Page, protocol: string, word = ''): Promise<Row> {
  await page.goto('/devices')
  const found = await api<{ items: Row[] }>(page, 'GET', `/devices?protocol=${protocol}&presence=online&q=${word}&limit=1`)
  const row = found.items[0]
  if (!row) throw new Error(`no device of ${protocol} is online`)
  return row
}

async function choose(page: Page, words: string): Promise<void> {
  await page.getByTestId('command-kind').click()
  await page.getByRole('option', { name: words, exact: true }).click()
}

/** Gives the command and waits until it has ended well; its place in the list. */
async function done(page: Page, words: string): Promise<ReturnType<Page['locator']>> {
  await page.getByTestId('command-order').click()
  const first = page.locator('.command-list > li').first()
  await expect(first).toContainText(words)
  await expect(first).toHaveAttribute('data-state', 'done', { timeout: 40_000 })
  return first
}

test('a logger is told the time and asked for its history from the page', async ({ page }) => {
  test.setTimeout(120_000)
  const logger = await online(page, 'hj212', 'dust')
  await page.goto(`/devices/${logger.id}?tab=commands`)
  await choose(page, '设置现场机时间')
  const set = await done(page, '设置现场机时间')
  await expect(set.locator('.story li')).toHaveCount(5)
  await expect(set.locator('.story')).toContainText('设备已接收')

  await choose(page, '补取历史数据')
  const history = await done(page, '补取历史数据')
  await expect(history.getByTestId('command-result')).toContainText('uploads')
  const from = new Date(Date.now() - 3_600_000).toISOString()
  await expect.poll(async () => {
    const series = await api<{ t: number[] }>(page, 'GET', `/devices/${logger.id}/series?quantity=pm10&kind=minute&statistic=mean&from=${from}`)
    return series.t.length
  }, { timeout: 20_000 }).toBeGreaterThan(50)
})

test('a permitted route is pushed to a terminal from the page', async ({ page }) => {
  test.setTimeout(120_000)
  const truck = await online(page, 'jt808')
  await page.goto(`/devices/${truck.id}?tab=commands`)
  await choose(page, '下发准运路线')
  await expect(page.getByTestId('command-order')).toBeEnabled()
  const route = await done(page, '下发准运路线')
  await expect(route).toContainText('个拐点')

  await choose(page, '文本信息下发')
  await page.getByTestId('command-text').fill('请覆盖篷布')
  await done(page, '文本信息下发')
})

test('a command for a device that is away waits and can be cancelled', async ({ page }) => {
  const made = await (async () => {
    await page.goto('/devices')
    const code = `away-${Date.now()}`
    const profiles = await api<{ code: string; protocol: string }[]>(page, 'GET', '/profiles')
    const profile = profiles.find((one) => one.protocol === 'hj212')?.code
    return api<{ device: number }>(page, 'POST', '/devices', { code, protocol: 'hj212', identity: `AWAY${Date.now()}`, profile })
  })()
  await page.goto(`/devices/${made.device}?tab=commands`)
  await page.getByTestId('command-order').click()
  const first = page.locator('.command-list > li').first()
  await expect(first).toHaveAttribute('data-state', 'queued')
  await first.getByTestId('command-cancel').click()
  await expect(first).toHaveAttribute('data-state', 'cancelled')
})
