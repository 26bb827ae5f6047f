// No words outside the catalogues: fails for text between JSX tags and in the
// attributes that people see or hear, and for keys that no source names.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../src', import.meta.url))
const seen = ['title', 'aria-label', 'placeholder', 'alt', 'label']
// What is the same in every language.
const names = /^(JSON|[^\p{L}]*)$/u
const catalogue = JSON.parse(readFileSync(join(root, 'i18n/en.json'), 'utf8'))
const files = readdirSync(root, { recursive: true }).filter((f) => /\.tsx?$/.test(f) && !f.endsWith('.d.ts'))
let bad = 0
let all = ''
for (const name of files) {
  const text = readFileSync(join(root, name), 'utf8')
  all += text
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, name.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS)
  const say = (node, what) => {
    console.error(`${name}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: words outside the catalogues: ${what}`)
    bad++
  }
  const walk = (node) => {
    if (ts.isJsxText(node) && node.text.trim().length > 1 && !names.test(node.text.trim())) say(node, JSON.stringify(node.text.trim()))
    if (ts.isJsxAttribute(node) && node.initializer && ts.isStringLiteral(node.initializer) && seen.includes(node.name.getText())) {
      const value = node.initializer.text
      // <ListView title="nav.keys"> names a key.
      if (!names.test(value) && !(value in catalogue) && value.length > 1) say(node, node.getText())
    }
    if (ts.isJsxExpression(node) && node.expression && ts.isStringLiteralLike(node.expression) && ts.isJsxElement(node.parent) && !names.test(node.expression.text.trim())) say(node, node.getText())
    ts.forEachChild(node, walk)
  }
  walk(source)
}
const groups = new Set([...all.matchAll(/label(?:Of)?\(\s*'([a-z_]+)'/g), ...all.matchAll(/group: '([a-z_]+)'/g), ...all.matchAll(/'([a-z_.]+)\.' ?\+/g), ...all.matchAll(/`([a-z_.]+)\.\$\{/g)].map((m) => m[1]))
for (const key of Object.keys(catalogue)) {
  const plain = key.replace(/\.(one|many|other)$/, '')
  if ([`'${plain}'`, `"${plain}"`, '`' + plain + '`'].some((k) => all.includes(k))) continue
  // labelOf('status', noun, …) reads status_noun before status.
  if ([...groups].some((g) => key.startsWith(g + '.') || key.startsWith(g + '_'))) continue
  console.error(`i18n: no source names the key ${key}`)
  bad++
}
process.exit(bad ? 1 : 0)
