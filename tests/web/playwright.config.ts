/**
 * The page in a real Chromium, against a running server. It is told where by the environment:
 *
 *   LANTIAN_URL            http://127.0.0.1:8080
 *   LANTIAN_USER           an administrator's name
 *   LANTIAN_PASSWORD       its password; a one-time password is changed by the tests
 *   LANTIAN_NEW_PASSWORD   to what (a fixed one when left out)
 *   LANTIAN_MQTT           mqtt://127.0.0.1:1883
 *   LANTIAN_CHROMIUM       the browser (/usr/bin/chromium)
 *
 * `npx playwright test journey pages papers pictures quarantine` runs the tests at both sizes, `npx playwright test screenshots` draws
 * `docs/images`. The server should have demo rules and at least one subject, device, alert and case.
 */

import { defineConfig, devices } from '@playwright/test'

const use = (width: number, height: number) => ({
  ...devices['Desktop Chrome'],
  channel: undefined,
  viewport: { width, height },
  deviceScaleFactor: 1,
})

export default defineConfig({
  testDir: '.',
  outputDir: 'test-results',
  // One server, one journal: the tests take turns.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['line']],
  use: {
    testIdAttribute: 'data-test',
    baseURL: process.env.LANTIAN_URL ?? 'http://127.0.0.1:8080',
    locale: 'zh-CN',
    timezoneId: 'Europe/Berlin',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.LANTIAN_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-software-rasterizer', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
    },
  },
  projects: [
    { name: 'login', testMatch: 'login.setup.ts', use: use(1366, 768) },
    { name: '1366x768', testMatch: '*.spec.ts', dependencies: ['login'], use: { ...use(1366, 768), storageState: '.auth/state.json' } },
    { name: '1920x1080', testMatch: '*.spec.ts', dependencies: ['login'], use: { ...use(1920, 1080), storageState: '.auth/state.json' } },
  ],
})
