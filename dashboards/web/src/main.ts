/** Starts the page. */

import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { whenRefused } from './api/client'
import { i18n } from './i18n'
import { router } from './router'
import { useSession } from './stores/session'
import './styles/base'

const app = createApp(App).use(createPinia()).use(i18n).use(router)

whenRefused((problem) => {
  const session = useSession()
  const here = router.currentRoute.value
  if (problem.code === 'password_change_required') {
    if (here.name !== 'password') void router.replace({ name: 'password' })
    return
  }
  const wasIn = session.me !== null
  session.forget()
  if (here.name !== 'login' && wasIn) void router.replace({ name: 'login', query: { next: here.fullPath, ended: '1' } })
})

app.mount('#app')
