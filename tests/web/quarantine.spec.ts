/** An unknown device knocks, is seen, is accepted by a person, and only then is let in. */

import { connect, expect, MQTT_URL, publish, test, unique } from './support'

test('an unknown device waits until it is accepted on the page', async ({ page }) => {
  const identity = `stranger-${unique()}`
  await page.goto('/quarantine')
  await expect(page.getByRole('heading', { name: '隔离区' })).toBeVisible()
  await expect(connect(identity, identity, 'no-such-secret')).rejects.toThrow()

  const row = page.locator(`tr[data-identity="${identity}"]`)
  await expect(async () => {
    if (!(await row.isVisible())) await page.getByRole('button', { name: '刷新' }).click()
    await expect(row).toBeVisible({ timeout: 1_000 })
  }).toPass()
  await row.getByTestId('accept').click()
  await expect(page.getByTestId('df-code')).toHaveValue(identity)
  await page.getByTestId('df-profile').click()
  await page.getByRole('option', { name: '油烟监测仪 MQTT JSON' }).click()
  await page.getByTestId('df-save').click()

  await expect(page.getByTestId('credential')).toContainText(`lantian/v1/${identity}/telemetry`)
  await expect(page.getByTestId('credential')).toContainText(new URL(MQTT_URL).host)
  const secret = (await page.getByTestId('secret').textContent()) ?? ''
  expect(secret.length).toBeGreaterThan(15)
  await page.getByTestId('credential-done').click()
  await expect(row).toBeHidden()

  let client: Awaited<ReturnType<typeof connect>> | null = null
  await expect(async () => {
    client = await connect(identity, identity, secret)
  }).toPass()
  await publish(client!, identity, { fume: 0.4 })
  client!.removeAllListeners('close')
  await client!.endAsync(true)
})

test('a claim code made on the page lets a device fetch its own credential', async ({ page }) => {
  const name = unique()
  await page.goto('/claims')
  await page.getByTestId('new-claim').click()
  await page.getByLabel('名称').fill(`街区 ${name}`)
  await page.getByTestId('claim-profile').click()
  await page.getByRole('option', { name: '油烟监测仪 MQTT JSON' }).click()
  await page.getByLabel('编码前缀').fill('s7-')
  await page.getByTestId('claim-save').click()
  const code = ((await page.getByTestId('claim-code').textContent()) ?? '').trim()
  expect(code).toMatch(/^[a-z0-9]{5}(-[a-z0-9]{5}){3}$/)
  await page.getByRole('button', { name: '我已保存' }).click()

  const answer = await page.request.post('/api/v1/provision', { data: { code, serial: `sn-${name}` } })
  expect(answer.ok(), await answer.text()).toBe(true)
  await page.reload()
  await expect(page.getByTestId('attempts')).toContainText(`s7-sn-${name}`)
  const row = page.getByTestId('claims').locator('tr', { hasText: `街区 ${name}` })
  await expect(row).toContainText('1 / 50')
  await row.getByTestId('revoke').click()
  await page.locator('.el-message-box').getByRole('button', { name: '作废' }).click()
  await expect(row).toContainText('已作废')
})

test('bans and limits are listed', async ({ page }) => {
  await page.goto('/quarantine?tab=addresses')
  await expect(page.getByText('没有被封禁的地址')).toBeVisible()
  await expect(page.getByText('没有被限速的设备')).toBeVisible()
})
