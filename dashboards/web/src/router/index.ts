/** Addresses, and who may open them. */

import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import type { Capability } from '@/api/types'
import { useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Any of these lets a person in. */
    any?: Capability[]
    open?: boolean
    /** Outside of the frame with the menu. */
    bare?: boolean
  }
}

const DISTRICT: Capability[] = ['view']
const DEVICES: Capability[] = ['view_own_devices', 'view']

export const routes: RouteRecordRaw[] = [
  { path: '/login', name: 'login', component: () => import('@/pages/LoginPage.vue'), meta: { open: true, bare: true } },
  { path: '/password', name: 'password', component: () => import('@/pages/PasswordPage.vue'), meta: { bare: true } },
  { path: '/', redirect: () => ({ name: useSession().can('view') ? 'overview' : 'devices' }) },
  { path: '/overview', name: 'overview', component: () => import('@/pages/OverviewPage.vue'), meta: { any: DISTRICT } },
  { path: '/map', name: 'map', component: () => import('@/pages/MapPage.vue'), meta: { any: DISTRICT } },
  { path: '/alerts', name: 'alerts', component: () => import('@/pages/AlertsPage.vue'), meta: { any: DEVICES } },
  { path: '/alerts/:id(\\d+)', name: 'alert', component: () => import('@/pages/AlertPage.vue'), meta: { any: DEVICES } },
  { path: '/silences', name: 'silences', component: () => import('@/pages/SilencesPage.vue'), meta: { any: DISTRICT } },
  { path: '/cases', name: 'cases', component: () => import('@/pages/CasesPage.vue'), meta: { any: DISTRICT } },
  { path: '/cases/:id(\\d+)', name: 'case', component: () => import('@/pages/CasePage.vue'), meta: { any: DISTRICT } },
  { path: '/subjects/:kind(restaurant|site|truck|gate|disposal_site)', name: 'subjects', component: () => import('@/pages/SubjectsPage.vue'), meta: { any: DISTRICT } },
  { path: '/subjects/:id(\\d+)', name: 'subject', component: () => import('@/pages/SubjectPage.vue'), meta: { any: DISTRICT } },
  { path: '/permits', name: 'permits', component: () => import('@/pages/PermitsPage.vue'), meta: { any: DISTRICT } },
  { path: '/papers', redirect: { name: 'papers', params: { kind: 'notices' } } },
  { path: '/papers/:kind(notices|areas|night_permits|cleanings|manifests|maintenances|schedules|backgrounds)', name: 'papers', component: () => import('@/pages/PapersPage.vue'), meta: { any: DISTRICT } },
  { path: '/devices', name: 'devices', component: () => import('@/pages/DevicesPage.vue'), meta: { any: DEVICES } },
  { path: '/devices/:id(\\d+)', name: 'device', component: () => import('@/pages/DevicePage.vue'), meta: { any: DEVICES } },
  { path: '/ledger', name: 'ledger', component: () => import('@/pages/LedgerPage.vue'), meta: { any: DEVICES } },
  { path: '/explain', name: 'explain', component: () => import('@/pages/ExplainPage.vue'), meta: { any: DEVICES } },
  { path: '/quarantine', name: 'quarantine', component: () => import('@/pages/QuarantinePage.vue'), meta: { any: ['manage_devices', 'view'] } },
  { path: '/claims', name: 'claims', component: () => import('@/pages/ClaimsPage.vue'), meta: { any: ['manage_devices'] } },
  { path: '/limits', name: 'limits', component: () => import('@/pages/LimitsPage.vue'), meta: { any: DISTRICT } },
  { path: '/rules', name: 'rules', component: () => import('@/pages/RulesPage.vue'), meta: { any: DISTRICT } },
  { path: '/rules/:code', name: 'rule', component: () => import('@/pages/RulePage.vue'), meta: { any: DISTRICT } },
  { path: '/users', name: 'users', component: () => import('@/pages/UsersPage.vue'), meta: { any: ['manage_people'] } },
  { path: '/audit', name: 'audit', component: () => import('@/pages/AuditPage.vue'), meta: { any: ['manage_people'] } },
  { path: '/notify', name: 'notify', component: () => import('@/pages/NotifyPage.vue'), meta: { any: DISTRICT } },
  { path: '/system', name: 'system', component: () => import('@/pages/SystemPage.vue'), meta: { any: DISTRICT } },
  { path: '/:rest(.*)*', name: 'missing', component: () => import('@/pages/MissingPage.vue') },
]

export const router = createRouter({ history: createWebHistory(), routes, scrollBehavior: () => ({ top: 0 }) })

router.beforeEach(async (to) => {
  const session = useSession()
  const me = await session.ensure().catch(() => null)
  if (to.meta.open) return me && !me.must_change_password && to.name === 'login' ? { path: '/' } : true
  if (!me) return { name: 'login', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  if (me.must_change_password && to.name !== 'password') return { name: 'password' }
  if (to.meta.any && !to.meta.any.some((capability) => session.can(capability))) return { name: 'missing', params: { rest: ['denied'] } }
  return true
})
