#!/usr/bin/env node
// Builds the client as it is published: one file of JavaScript that imports nothing, and the
// declarations of its types. `node src/client/build.mjs DIRECTORY`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const outDir = resolve(process.argv[2] ?? 'dist/client');
const entry = join(root, 'src', 'client', 'index.ts');

rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
await build({
  entryPoints: [entry],
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  outfile: join(outDir, 'index.js'),
});

const flags = {
  declaration: true,
  emitDeclarationOnly: true,
  noEmit: false,
  outDir: join(outDir, 'types'),
  rootDir: join(root, 'src'),
};
const base = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
const project = join(outDir, 'tsconfig.json');
const types = base.compilerOptions.types;
const typeRoots = [join(root, 'node_modules'), join(root, 'node_modules', '@types')];
const compilerOptions = { ...base.compilerOptions, ...flags, types, typeRoots };
writeFileSync(project, JSON.stringify({ compilerOptions, files: [entry] }));
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const made = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
rmSync(project);
if (made.status !== 0) process.exit(1);

// What is declared in x.ts has become x.d.ts, which is found as x.js.
for (const name of readdirSync(join(outDir, 'types'), { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const path = join(outDir, 'types', name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/(from ')(\..*)\.ts(';)/g, '$1$2.js$3'));
}
writeFileSync(join(outDir, 'index.d.ts'), "export * from './types/client/index.js';\n");
