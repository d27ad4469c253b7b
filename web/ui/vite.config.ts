import { fileURLToPath } from 'node:url'
import ui from '@nuxt/ui/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// The server that `npm run dev` talks to: the mock of web/e2e by default.
const server = process.env.FLYSENSE_URL ?? 'http://127.0.0.1:8788'

export default defineConfig({
  plugins: [
    vue({ template: { compilerOptions: { isCustomElement: (tag) => tag === 'fly-call' } } }),
    ui({
      autoImport: false,
      ui: {
        colors: { primary: 'indigo', secondary: 'teal', success: 'green', info: 'sky', warning: 'amber', error: 'red', neutral: 'slate' },
      },
      // Every icon goes into the bundle: the appliance has no internet.
      icon: { clientBundle: { scan: true } },
    }),
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    chunkSizeWarningLimit: 700, // kB; the component library, loaded over a LAN
    assetsInlineLimit: 0, // fonts stay files, so that the page's policy needs no data: for them
  },
  server: {
    proxy: Object.fromEntries(['/api', '/oauth', '/openapi.json'].map((path) => [path, { target: server, changeOrigin: false }])),
  },
})
