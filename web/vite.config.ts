import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The output is committed and compared byte by byte with a fresh build: no
// hashes in names (the server answers strong ETags), no sources of chance.
export default defineConfig({
  base: '/app/',
  plugins: [
    react(),
    {
      // begin.js is small and soon done; what it asks for is on its way meanwhile.
      name: 'preload-main',
      transformIndexHtml: () => [{ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: '/app/main.js' }, injectTo: 'head' as const }],
    },
  ],
  // The server puts the files of one build into a folder of their own (dash.go).
  experimental: { renderBuiltUrl: (_name, { hostType }) => (hostType === 'js' ? { relative: true } : undefined) },
  build: {
    outDir: '../dash/dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        assetFileNames: 'app[extname]',
        // A few files by what is needed together, instead of one per module that two pages share.
        codeSplitting: {
          groups: [
            { name: 'begin', test: /src\/begin\.ts$/, priority: 4 },
            { name: 'main', test: /src\/((main|shell|first)\.tsx|download\.ts|ui\/(proof|table)\.tsx|kinds\/account\.tsx)$/, priority: 3 },
            { name: 'list', test: /src\/(list|strip)\.tsx$/, priority: 2 },
            { name: 'chart', test: /src\/ui\/(chart|arrivals)\.tsx$/, priority: 1 },
          ],
        },
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
