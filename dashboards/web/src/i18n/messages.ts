/** All messages, by language and area. */

import channelsEn from './en/channels'
import codesEn from './en/codes'
import commandsEn from './en/commands'
import framesEn from './en/frames'
import ledgerEn from './en/ledger'
import notifyEn from './en/notify'
import pagesEn from './en/pages'
import papersEn from './en/papers'
import shellEn from './en/shell'
import channelsZh from './zh-CN/channels'
import codesZh from './zh-CN/codes'
import commandsZh from './zh-CN/commands'
import framesZh from './zh-CN/frames'
import ledgerZh from './zh-CN/ledger'
import notifyZh from './zh-CN/notify'
import pagesZh from './zh-CN/pages'
import papersZh from './zh-CN/papers'
import shellZh from './zh-CN/shell'

export const messages = {
  'zh-CN': { ...shellZh, ...codesZh, ...pagesZh, ...framesZh, ...channelsZh, ...commandsZh, ...ledgerZh, ...papersZh, ...notifyZh },
  en: { ...shellEn, ...codesEn, ...pagesEn, ...framesEn, ...channelsEn, ...commandsEn, ...ledgerEn, ...papersEn, ...notifyEn },
}
