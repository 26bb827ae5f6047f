// Writes src/api/schema.d.ts from giro's own OpenAPI document, so that an API
// change that breaks a screen does not compile.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'

const go = process.env.GO ?? 'go'
const document = process.env.GIRO_OPENAPI
  ? (await import('node:fs')).readFileSync(process.env.GIRO_OPENAPI, 'utf8')
  : execFileSync(go, ['run', './cmd/giro', 'openapi'], { cwd: new URL('..', import.meta.url), maxBuffer: 64 << 20, encoding: 'utf8' })
writeFileSync(new URL('src/api/schema.d.ts', import.meta.url), astToString(await openapiTS(JSON.parse(document))))
