/** Who is signed in and what they may do. The page offers nothing else; the server checks again. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api, ApiProblem } from '@/api/client'
import type { Capability, Language, Me } from '@/api/types'
import { i18n, setLanguage } from '@/i18n'

export const useSession = defineStore('session', () => {
  const me = ref<Me | null>(null)
  const asked = ref(false)
  const isVendor = computed(() => me.value?.role === 'vendor')

  function can(capability: Capability): boolean {
    return me.value?.may.includes(capability) ?? false
  }

  /** Asks once who is signed in; `null` when nobody is. */
  async function ensure(): Promise<Me | null> {
    if (asked.value) return me.value
    try {
      set(await api.me())
    } catch (error) {
      if (ApiProblem.from(error).code === 'network') throw error
      me.value = null
    }
    asked.value = true
    return me.value
  }

  function set(next: Me): void {
    me.value = next
    asked.value = true
  }

  async function login(name: string, password: string): Promise<Me> {
    const next = await api.login({ name, password })
    set(next)
    if (!next.must_change_password && next.language !== i18n.global.locale.value) void api.setLanguage(i18n.global.locale.value as Language).catch(() => undefined)
    return next
  }

  async function logout(): Promise<void> {
    await api.logout().catch(() => undefined)
    forget()
  }

  function forget(): void {
    me.value = null
    asked.value = true
  }

  /** After the password was changed the answer to "who am I" differs. */
  async function refresh(): Promise<void> {
    set(await api.me())
  }

  function speak(language: Language): void {
    setLanguage(language)
    if (me.value && !me.value.must_change_password) void api.setLanguage(language).catch(() => undefined)
  }

  return { me, asked, isVendor, can, ensure, login, logout, forget, refresh, speak }
})
