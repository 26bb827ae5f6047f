import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The output is committed and compared byte by byte with a fresh build: no
// hashes in names (the server answers strong ETags), no sources of chance.
export default defineConfig({
  base: '/app/',
  plugins: [react()],
  build: {
    outDir: '../dash/dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'app.js',
        chunkFileNames: '[name].js',
        assetFileNames: 'app[extname]',
      },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '^/(v1|docs|openapi\\.json|app/login)': { target: process.env.GIRO_URL ?? 'http://127.0.0.1:8080' },
    },
  },
})
