/** What the specs share: signing in, a page that must stay quiet, the API as the page uses it, MQTT as a device speaks it. */

import { AxeBuilder } from '@axe-core/playwright'
import { expect, test as base, type Page } from '@playwright/test'
import { existsSync, readFileSync } from 'node:fs'
import mqtt, { type MqttClient } from 'mqtt'

export const USER = process.env.LANTIAN_USER ?? 'admin'
export const FIRST_PASSWORD = process.env.LANTIAN_PASSWORD ?? ''
export const NEW_PASSWORD = process.env.LANTIAN_NEW_PASSWORD ?? 'clear-sky-over-the-ring-road'
export const MQTT_URL = process.env.LANTIAN_MQTT ?? 'mqtt://127.0.0.1:1883'
const KEPT = '.auth/password'

/** The password in force: the first one until the tests had to change it. */
export function password(): string {
  return existsSync(KEPT) ? readFileSync(KEPT, 'utf8') : FIRST_PASSWORD
}

export async function signIn(page: Page, name: string, secret: string): Promise<void> {
  await page.goto('/login')
  await page.getByTestId('login-name').fill(name)
  await page.getByTestId('login-password').fill(secret)
  await page.getByTestId('login-submit').click()
}

/** A page on which every console error and failed request is a failure. */
export const test = base.extend<{ quiet: string[] }>({
  quiet: [async ({ page }, use) => {
    const noise: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') noise.push(`console: ${message.text()} (${page.url()})`)
    })
    page.on('pageerror', (error) => noise.push(`error: ${error.message} (${page.url()})`))
    page.on('requestfailed', (request) => {
      // What the browser itself gives up when it leaves a page is no failure.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') noise.push(`request: ${request.url()} ${request.failure()?.errorText ?? ''}`)
    })
    page.on('response', (response) => {
      if (response.status() >= 400) noise.push(`answer ${response.status()}: ${response.url()}`)
    })
    await use(noise)
    expect(noise).toEqual([])
  }, { auto: true }],
})
test.beforeEach(({}, info) => info.annotations.push({ type: 'size', description: info.project.name }))
export { expect }

/** WCAG 2 A and AA, all of it. */
export async function expectAccessible(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa']).analyze()
  expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([])
}

/** Calls the API with the session and the origin of the page. */
export async function api<T>(page: Page, method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<T> {
  return page.evaluate(async ([verb, at, data]) => {
    const answer = await fetch(`/api/v1${at}`, { method: verb, headers: data === null ? {} : { 'Content-Type': 'application/json' }, body: data })
    if (!answer.ok) throw new Error(`${verb} ${at}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? null : answer.json()
  }, [method, path, body === undefined ? null : JSON.stringify(body)] as const) as Promise<T>
}

export interface Handout {
  device: number
  code: string
  identity: string
  settings: { name: string; value: string; secret: boolean }[]
}

/** The password among the settings that were handed out. */
export function secretOf(handout: Handout): string {
  return handout.settings.find((setting) => setting.secret)?.value ?? ''
}

/** Connects as a device; rejects when it is not let in. */
export function connect(code: string, user: string, secret: string): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const client = mqtt.connect(MQTT_URL, { clientId: code, username: user, password: secret, reconnectPeriod: 0, connectTimeout: 5_000, protocolVersion: 4 })
    client.once('connect', () => resolve(client))
    const fail = (why: string) => (error?: Error): void => {
      client.end(true)
      reject(new Error(error?.message ?? why))
    }
    client.once('error', fail('refused'))
    client.once('close', fail('closed'))
  })
}

/** Publishes one reading and waits for the acknowledgement, which means it is on disk. */
export async function publish(client: MqttClient, code: string, values: Record<string, number | boolean>, ts = Date.now()): Promise<void> {
  await client.publishAsync(`lantian/v1/${code}/telemetry`, JSON.stringify({ ts, values }), { qos: 1 })
}

export const unique = (): string => `${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`
