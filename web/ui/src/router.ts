import { createRouter, createWebHistory } from 'vue-router'
import { ApiError } from '@/api/api'
import { goLive, goQuiet } from '@/live'
import { api, session } from '@/session'
import { forget } from '@/status'

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', redirect: '/calls' },
    { path: '/login', component: () => import('@/pages/LoginPage.vue'), meta: { open: true, title: 'Вход' } },
    { path: '/setup', component: () => import('@/pages/SetupPage.vue'), meta: { open: true, title: 'Первый вход' } },
    {
      path: '/',
      component: () => import('@/parts/AppShell.vue'),
      children: [
        { path: 'calls', component: () => import('@/pages/CallsPage.vue'), meta: { title: 'Звонки' } },
        { path: 'calls/:id', component: () => import('@/pages/CallPage.vue'), props: true, meta: { title: 'Звонок' } },
        { path: 'queue', component: () => import('@/pages/QueuePage.vue'), meta: { title: 'Очередь' } },
        { path: 'connections', component: () => import('@/pages/ConnectionsPage.vue'), meta: { title: 'Подключения' } },
        { path: 'balance', component: () => import('@/pages/BalancePage.vue'), meta: { title: 'Баланс' } },
        { path: ':rest(.*)*', component: () => import('@/pages/NotFoundPage.vue'), meta: { title: 'Нет такой страницы' } },
      ],
    },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta.open || session.value) return true
  try {
    session.value = await api.session()
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return signIn(error.code, to.fullPath)
    throw error
  }
  goLive()
  return true
})

router.afterEach((to) => {
  document.title = `${String(to.meta.title)} · FlySense`
})

api.onSignedOut = (code) => {
  if (!session.value) return // nobody was in; whoever asked shows the answer
  leave()
  router.replace(signIn(code, router.currentRoute.value.fullPath))
}

/** Forgets who was in and what they saw. */
export function leave() {
  session.value = null
  goQuiet()
  forget()
}

function signIn(code: string, next: string) {
  return { path: code === 'setup' ? '/setup' : '/login', query: next === '/calls' ? {} : { next } }
}

/** Goes where the person wanted before signing in; only paths of our own. */
export function enter(next: unknown) {
  goLive()
  return router.replace(typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : '/calls')
}
