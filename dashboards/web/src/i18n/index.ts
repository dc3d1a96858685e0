/** Two languages with the same keys (a test compares them). Chinese first. */

import { createI18n } from 'vue-i18n'
import { messages } from './messages'

export type Language = 'zh-CN' | 'en'
const STORED = 'lantian.language'

function stored(): Language {
  try {
    return localStorage.getItem(STORED) === 'en' ? 'en' : 'zh-CN'
  } catch {
    return 'zh-CN'
  }
}

export const i18n = createI18n({
  legacy: false,
  locale: stored(),
  fallbackLocale: 'en',
  messages,
})

export function setLanguage(language: Language): void {
  i18n.global.locale.value = language
  document.documentElement.lang = language
  try {
    localStorage.setItem(STORED, language)
  } catch {
    // A desk that forbids storage keeps the choice for this tab only.
  }
}

document.documentElement.lang = i18n.global.locale.value
