#!/usr/bin/env node
// Generates src/api/gen from proto/. With --check nothing is written: a difference from what is
// checked in is an error.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const protoDir = join(root, 'proto');
const generatedDir = join(root, 'src', 'api', 'gen');
const plugin = join(root, 'node_modules', '.bin', 'protoc-gen-es');

function generate(outDir) {
  const protos = readdirSync(protoDir).filter((name) => name.endsWith('.proto'));
  const { error, status } = spawnSync(
    'protoc',
    [
      `--plugin=protoc-gen-es=${plugin}`,
      `--proto_path=${protoDir}`,
      `--es_out=${outDir}`,
      '--es_opt=target=ts,import_extension=ts',
      ...protos,
    ],
    { stdio: 'inherit' },
  );
  if (error?.code === 'ENOENT') {
    fail('protoc is not on the PATH: install protobuf-compiler (apt) or protobuf (brew)');
  }
  if (error) fail(error.message);
  if (status !== 0) fail(`protoc ended with status ${status}`);
  // It reads what is checked in, which --check has just found to be current, or will.
  const messages = join(root, 'src', 'api', 'generate-messages.mjs');
  const args = ['--import', 'tsx', messages, outDir];
  const made = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (made.status !== 0) fail('messages.ts could not be made');
}

function check() {
  const freshDir = mkdtempSync(join(tmpdir(), 'edgetcd-proto-'));
  try {
    generate(freshDir);
    const names = new Set([...readdirSync(freshDir), ...readdirSync(generatedDir)]);
    const stale = [...names].filter((name) => read(freshDir, name) !== read(generatedDir, name));
    if (stale.length > 0) {
      fail(`not current with proto/: ${stale.join(', ')}; run node src/api/generate.mjs`);
    }
  } finally {
    rmSync(freshDir, { recursive: true });
  }
}

function read(dir, name) {
  try {
    return readFileSync(join(dir, name), 'utf8');
  } catch {
    return undefined;
  }
}

/** Sets the exit status and unwinds, so that the scratch directory is removed. */
function fail(message) {
  throw new Error(message);
}

try {
  if (process.argv.includes('--check')) check();
  else generate(generatedDir);
} catch (error) {
  console.error(`generate: ${error.message}`);
  process.exitCode = 1;
}
