/** All messages, by language and area. */

import codesEn from './en/codes'
import pagesEn from './en/pages'
import shellEn from './en/shell'
import codesZh from './zh-CN/codes'
import pagesZh from './zh-CN/pages'
import shellZh from './zh-CN/shell'

export const messages = {
  'zh-CN': { ...shellZh, ...codesZh, ...pagesZh },
  en: { ...shellEn, ...codesEn, ...pagesEn },
}
