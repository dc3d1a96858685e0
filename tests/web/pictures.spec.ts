/** Pictures that trucks take: small beside their event, large by the keyboard, and named for who cannot see them. */

import { api, expect, expectAccessible, test } from './support'

interface Taken { what: string; pictures?: string[] }

test('a truck\'s picture opens large by the keyboard alone', async ({ page }) => {
  test.setTimeout(180_000)
  await page.goto('/overview')
  const trucks = await api<{ items: { id: number }[] }>(page, 'GET', '/devices?protocol=jt808&limit=50')
  const withPicture = async (): Promise<number | undefined> => {
    for (const { id } of trucks.items) {
      const events = await api<Taken[]>(page, 'GET', `/devices/${id}/events`)
      if (events.some((one) => (one.pictures ?? []).length > 0)) return id
    }
    return undefined
  }
  let id: number | undefined
  await expect.poll(async () => { id = await withPicture(); return id }, { timeout: 120_000 }).toBeDefined()
  await page.goto(`/devices/${id}?tab=events`)
  const strip = page.getByTestId('pictures').first()
  const thumb = strip.getByRole('button').first()
  await expect(thumb).toHaveAccessibleName(/^放大查看：.+图片，/)
  const drawn = strip.getByRole('img').first()
  await expect.poll(() => drawn.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(320)
  await thumb.focus()
  await page.keyboard.press('Enter')
  const large = page.getByTestId('picture-large')
  await expect(large).toBeVisible()
  await expect(large).toHaveAttribute('alt', /图片，/)
  await expect(page.getByText('SHA-256').last()).toBeVisible()
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await expect(large).toBeHidden()
  await expect(thumb).toBeFocused()
})
