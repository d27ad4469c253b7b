import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// The second bundle: <fly-call> alone, for pages of another origin. One classic
// script with its style inside, because a CRM's page loads it with RequireJS
// around and must not see a module or a global of ours.
export default defineConfig({
  plugins: [vue()],
  define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  publicDir: false,
  build: {
    emptyOutDir: false,
    lib: {
      entry: fileURLToPath(new URL('./src/call/element.ts', import.meta.url)),
      formats: ['iife'],
      name: 'FlyCallElement',
      fileName: () => 'fly-call.js',
    },
  },
})
