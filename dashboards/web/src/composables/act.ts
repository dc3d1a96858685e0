/** Doing something by the API and telling the person how it went. */

import { ElMessage } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import { ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { ApiProblem } from '@/api/client'

export function useAct() {
  const { t, te } = useI18n()
  const busy = ref(false)

  function say(problem: ApiProblem): string {
    const key = `problem.${problem.code}`
    const lead = te(key) ? t(key) : problem.message || t('problem.unknown', { code: problem.code })
    const more = [problem.field, problem.detail].filter(Boolean).join(' · ')
    return more ? `${lead}：${more}` : lead
  }

  /** Runs it once; `undefined` when it failed, which has then been said. */
  async function act<T>(run: () => Promise<T>, done?: string): Promise<T | undefined> {
    if (busy.value) return undefined
    busy.value = true
    try {
      const got = await run()
      if (done !== undefined) ElMessage.success(done)
      return got
    } catch (error) {
      ElMessage.error({ message: say(ApiProblem.from(error)), duration: 6_000, showClose: true })
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { act, busy, say }
}
