/// <reference types="vitest/config" />
import vue from '@vitejs/plugin-vue'
import { fileURLToPath, URL } from 'node:url'
import Components from 'unplugin-vue-components/vite'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import { defineConfig } from 'vite'

// The server to develop against; `npm run dev` hands /api on to it.
const server = process.env.LANTIAN_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [
    vue(),
    Components({ dts: 'src/components.d.ts', dirs: [], resolvers: [ElementPlusResolver({ importStyle: 'css' })] }),
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: true, __VUE_PROD_DEVTOOLS__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  server: { proxy: { '/api': { target: server, ws: true } } },
  build: {
    // The desks run Chromium 100 and later.
    target: 'es2020',
    cssTarget: 'chrome100',
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
