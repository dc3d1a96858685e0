/** Signs in once with what `admin create` printed, changes a one-time password, and keeps the session for the specs. */

import { expect, test as setup } from '@playwright/test'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { FIRST_PASSWORD, NEW_PASSWORD, signIn, USER } from './support'

setup('the first login asks for a password of one\'s own', async ({ page }) => {
  rmSync('.auth', { recursive: true, force: true })
  mkdirSync('.auth', { recursive: true })
  await page.goto('/')
  await expect(page).toHaveURL(/\/login/)
  await signIn(page, USER, FIRST_PASSWORD)
  const forced = page.getByTestId('forced')
  const inside = page.getByTestId('person')
  const wrong = page.getByRole('alert')
  await expect(forced.or(inside).or(wrong)).toBeVisible()
  let secret = FIRST_PASSWORD
  if (await wrong.isVisible()) {
    // An earlier run against the same server has changed it already.
    secret = NEW_PASSWORD
    await signIn(page, USER, secret)
  } else if (await forced.isVisible()) {
    secret = NEW_PASSWORD
    await page.getByTestId('pw-old').fill(FIRST_PASSWORD)
    await page.getByTestId('pw-new').fill(secret)
    await page.getByTestId('pw-again').fill(secret)
    await page.getByTestId('pw-submit').click()
  }
  await expect(inside).toBeVisible()
  writeFileSync('.auth/password', secret)
  await page.context().storageState({ path: '.auth/state.json' })
})
