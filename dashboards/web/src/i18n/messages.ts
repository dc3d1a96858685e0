/** All messages, by language and area. */

import channelsEn from './en/channels'
import codesEn from './en/codes'
import framesEn from './en/frames'
import ledgerEn from './en/ledger'
import pagesEn from './en/pages'
import shellEn from './en/shell'
import channelsZh from './zh-CN/channels'
import codesZh from './zh-CN/codes'
import framesZh from './zh-CN/frames'
import ledgerZh from './zh-CN/ledger'
import pagesZh from './zh-CN/pages'
import shellZh from './zh-CN/shell'

export const messages = {
  'zh-CN': { ...shellZh, ...codesZh, ...pagesZh, ...framesZh, ...channelsZh, ...ledgerZh },
  en: { ...shellEn, ...codesEn, ...pagesEn, ...framesEn, ...channelsEn, ...ledgerEn },
}
