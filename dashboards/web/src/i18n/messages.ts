/** All messages, by language and area. */

import codesEn from './en/codes'
import framesEn from './en/frames'
import pagesEn from './en/pages'
import shellEn from './en/shell'
import codesZh from './zh-CN/codes'
import framesZh from './zh-CN/frames'
import pagesZh from './zh-CN/pages'
import shellZh from './zh-CN/shell'

export const messages = {
  'zh-CN': { ...shellZh, ...codesZh, ...pagesZh, ...framesZh },
  en: { ...shellEn, ...codesEn, ...pagesEn, ...framesEn },
}
