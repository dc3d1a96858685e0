/** The menu, by task, for what a person may do. */

import { Bell, Box, Connection, DataLine, Files, Grid, Guide, House, Key, Location, Memo, MuteNotification, Notebook, Odometer, OfficeBuilding, Promotion, Search, Stamp, Tickets, User, Van } from '@element-plus/icons-vue'
import type { Component } from 'vue'
import type { Capability } from '@/api/types'

export interface MenuItem {
  to: string
  name: string
  icon: Component
  any: Capability[]
}

export interface MenuGroup {
  name: string
  items: MenuItem[]
}

const DISTRICT: Capability[] = ['view']
const DEVICES: Capability[] = ['view_own_devices', 'view']

const MENU: MenuGroup[] = [
  { name: 'nav.duty', items: [
    { to: '/overview', name: 'nav.overview', icon: House, any: DISTRICT },
    { to: '/map', name: 'nav.map', icon: Location, any: DISTRICT },
    { to: '/alerts', name: 'nav.alerts', icon: Bell, any: DEVICES },
    { to: '/silences', name: 'nav.silences', icon: MuteNotification, any: DISTRICT },
    { to: '/cases', name: 'nav.cases', icon: Files, any: DISTRICT },
  ] },
  { name: 'nav.subjects', items: [
    { to: '/subjects/restaurant', name: 'nav.restaurants', icon: Grid, any: DISTRICT },
    { to: '/subjects/site', name: 'nav.sites', icon: OfficeBuilding, any: DISTRICT },
    { to: '/subjects/truck', name: 'nav.trucks', icon: Van, any: DISTRICT },
    { to: '/permits', name: 'nav.permits', icon: Stamp, any: DISTRICT },
    { to: '/papers', name: 'nav.papers', icon: Memo, any: DISTRICT },
  ] },
  { name: 'nav.things', items: [
    { to: '/devices', name: 'nav.devices', icon: Connection, any: DEVICES },
    { to: '/ledger', name: 'nav.ledger', icon: Notebook, any: DEVICES },
    { to: '/explain', name: 'nav.explain', icon: Search, any: DEVICES },
    { to: '/quarantine', name: 'nav.quarantine', icon: Box, any: ['manage_devices', 'view'] },
    { to: '/claims', name: 'nav.claims', icon: Key, any: ['manage_devices'] },
  ] },
  { name: 'nav.judging', items: [
    { to: '/limits', name: 'nav.limits', icon: DataLine, any: DISTRICT },
    { to: '/rules', name: 'nav.rules', icon: Guide, any: DISTRICT },
  ] },
  { name: 'nav.system', items: [
    { to: '/users', name: 'nav.users', icon: User, any: ['manage_people'] },
    { to: '/audit', name: 'nav.audit', icon: Tickets, any: ['manage_people'] },
    { to: '/notify', name: 'nav.notify', icon: Promotion, any: DISTRICT },
    { to: '/system', name: 'nav.health', icon: Odometer, any: DISTRICT },
  ] },
]

export function menuFor(may: readonly Capability[]): MenuGroup[] {
  return MENU.map((group) => ({ ...group, items: group.items.filter((item) => item.any.some((one) => may.includes(one))) }))
    .filter((group) => group.items.length > 0)
}
