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
