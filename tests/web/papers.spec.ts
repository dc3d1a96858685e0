import { api, expect, expectAccessible, test, unique } from './support'

interface Rows<T> { items: T[]; total: number }

test('a cleaning is written down on the restaurant\'s page and stands in the register', async ({ page }) => {
  await page.goto('/subjects/restaurant')
  const found = await api<Rows<{ id: number; name: string }>>(page, 'GET', '/subjects?kind=restaurant&limit=1')
  const shop = found.items[0]
  if (!shop) throw new Error('no restaurant')
  const firm = `清洗 ${unique()}`
  await page.goto(`/subjects/${shop.id}`)
  const card = page.getByTestId('card-cleanings')
  await card.getByRole('button', { name: '新增' }).click()
  const form = page.getByRole('dialog')
  await expect(form.getByTestId('paper-save')).toBeDisabled()
  await form.getByText('净化器', { exact: true }).click()
  await form.getByText('集气罩', { exact: true }).click()
  await form.getByLabel('清洗单位').fill(firm)
  await expectAccessible(page)
  await form.getByTestId('paper-save').click()
  await expect(card.getByRole('row', { name: firm })).toContainText('净化器、集气罩')
  await page.goto('/papers/cleanings')
  await page.getByPlaceholder('编号、名称或车牌').fill(firm)
  await expect(page.getByTestId('papers-cleanings').getByRole('row', { name: firm })).toContainText(shop.name)
  // A mistake is voided, not removed.
  await page.getByRole('row', { name: firm }).getByRole('button', { name: '编辑' }).click()
  await page.getByTestId('paper-void').click()
  await page.getByTestId('paper-save').click()
  await expect(page.getByRole('row', { name: firm })).toContainText('已作废')
})

test('an area is drawn by clicks, mended as coordinates, and is on the map', async ({ page, quiet }) => {
  const code = `area-${unique()}`
  await page.goto('/papers/areas')
  await page.getByTestId('paper-add').click()
  const form = page.getByRole('dialog')
  await form.getByLabel('编号').fill(code)
  await form.getByLabel('名称').fill('合成测试区')
  await form.getByRole('combobox', { name: '用途' }).click()
  await page.getByRole('option', { name: '停车场' }).click()
  const map = form.getByTestId('shape-map')
  await expect(map.locator('canvas').first()).toBeVisible()
  const points = form.locator('#shape-points')
  // Two clicks closer in time than a double click would be one.
  for (const [n, [x, y]] of ([[120, 80], [260, 90], [240, 200]] as const).entries()) {
    await map.click({ position: { x, y } })
    await expect.poll(async () => (await points.inputValue()).split('\n').filter(Boolean).length).toBe(n + 1)
  }
  await points.fill('113.50, 34.80\nnorth')
  await expect(form.getByText('第 2 行不是坐标')).toBeVisible()
  // Sides that cross are refused by the server, with the field's name.
  await points.fill('113.50, 34.80\n113.52, 34.82\n113.52, 34.80\n113.50, 34.82')
  await form.getByTestId('paper-save').click()
  await expect(form.getByRole('alert')).toContainText('范围')
  expect(quiet.filter((line) => line.includes('422')).length).toBeGreaterThan(0)
  quiet.length = 0
  await points.fill('113.50, 34.80\n113.52, 34.80\n113.52, 34.82\n113.50, 34.82')
  await form.getByTestId('paper-save').click()
  const row = page.getByTestId('papers-areas').getByRole('row', { name: code })
  await expect(row).toContainText('4 点')
  const drawn = await api<{ areas: { code: string; id: number }[] }>(page, 'GET', '/map')
  const area = drawn.areas.find((one) => one.code === code)
  expect(area).toBeTruthy()
})

test('a notice in force stands over every page until it is lifted', async ({ page }) => {
  const code = `通知-${unique()}`
  await page.goto('/papers/notices')
  const made = await api<{ id: number; valid_from: string }>(page, 'PUT', '/notices', { code, level: 'red', stops: ['earthwork'], valid_from: new Date(Date.now() - 60_000).toISOString() })
  await page.goto('/devices')
  await expect(page.locator('.banners')).toContainText(`红色预警 ${code}`)
  await expectAccessible(page)
  await page.goto('/papers/notices')
  await expect(page.getByRole('row', { name: code })).toContainText('生效中')
  await api(page, 'PUT', '/notices', { id: made.id, code, level: 'red', stops: ['earthwork'], valid_from: made.valid_from, void: true })
  await page.goto('/devices')
  await expect(page.locator('.banners')).not.toContainText(code)
})
