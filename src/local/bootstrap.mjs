#!/usr/bin/env node
// The first thing that runs on a fresh checkout, so it uses nothing but Node: it installs what is
// missing and then hands over. `node src/local/bootstrap.mjs <command> [arguments]`.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const nodeMin = [20, 19];

/**
 * What each command runs. `typescript` runs in this process, so that signals and exit codes are its
 * own.
 */
const commands = {
  start: { typescript: 'src/local/main.ts' },
  'grpc-proxy': { typescript: 'src/grpc/main.ts' },
  member: { typescript: 'src/local/member-main.ts' },
  snapshot: { typescript: 'src/local/snapshot-main.ts' },
  restore: { typescript: 'src/local/restore-main.ts' },
  proxy: { typescript: 'src/local/proxy-main.ts' },
  bench: { typescript: 'bench/main.ts' },
  sim: { typescript: 'test/sim/main.ts' },
  test: { program: 'vitest/vitest.mjs', args: ['run', '--config', 'test/vitest.config.ts'] },
  'test:e2e': {
    program: 'vitest/vitest.mjs',
    args: ['run', '--config', 'test/e2e/vitest.config.ts'],
  },
  'test:workerd': {
    program: 'vitest/vitest.mjs',
    args: ['run', '--config', 'test/workerd/vitest.config.ts'],
  },
  dev: {
    program: 'wrangler/bin/wrangler.js',
    // On loopback: whoever can connect already runs on this machine.
    args: ['dev', '--var', 'ALLOW_NONE_AUTHENTICATION:yes'],
    env: { WRANGLER_SEND_METRICS: 'false' },
  },
  deploy: {
    program: 'wrangler/bin/wrangler.js',
    args: ['deploy'],
    env: { WRANGLER_SEND_METRICS: 'false' },
  },
  check: { program: '@biomejs/biome/bin/biome', args: ['ci', '--config-path=.ci', '.'] },
  types: { program: 'typescript/bin/tsc', args: ['-p', '.'] },
  format: {
    program: '@biomejs/biome/bin/biome',
    args: ['check', '--config-path=.ci', '--write', '.'],
  },
};

/** Says why in one line and ends. */
function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1])) return;
  fail(`edgetcd needs Node ${nodeMin.join('.')} or newer; this is ${process.versions.node}`);
}

/** Runs a program in the foreground. Resolves to its exit code; a signal to us is passed on. */
function run(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const pass = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, pass);
    child.on('error', (error) => fail(`cannot run ${command}: ${error.message}`));
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, pass);
      if (signal === null) return resolve(code ?? 1);
      // Dies the same death, so that the shell sees what happened.
      process.kill(process.pid, signal);
    });
  });
}

/** The hash of package-lock.json is kept beside what it installed: equal means nothing to do. */
async function install() {
  const modules = join(root, 'node_modules');
  const stamp = join(modules, '.edgetcd-lock-hash');
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const installed = existsSync(join(modules, '.package-lock.json'));
  if (installed && existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === hash) return;
  if (!installed || !matchesInstalled(modules)) {
    console.error('edgetcd: installing dependencies (npm ci) …');
    const npm = npmCommand();
    const args = [...npm.args, 'ci', '--include=dev', '--no-audit', '--no-fund'];
    const code = await run(npm.command, args, { shell: npm.shell });
    if (code !== 0) fail(`npm ci failed with exit code ${code}`, code);
  }
  writeFileSync(stamp, `${hash}\n`);
}

/**
 * Whether node_modules holds the versions of package-lock.json, by npm's own record of what it
 * installed: someone who ran `npm ci` by hand need not wait for it a second time.
 */
function matchesInstalled(modules) {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    if (present[path] === undefined) return optional === true || devOptional === true;
    return present[path].version === version;
  });
}

/** Under `npm start` npm names itself; otherwise the one on the PATH is used. */
function npmCommand() {
  const script = process.env.npm_execpath;
  if (script?.endsWith('.js')) return { command: process.execPath, args: [script], shell: false };
  return { command: 'npm', args: [], shell: process.platform === 'win32' };
}

async function runTypescript(entry, args) {
  const path = join(root, entry);
  if (!existsSync(path)) fail(`${entry} is not there`);
  const { register } = await import('tsx/esm/api');
  register();
  // The entry sees the arguments as if it had been started itself.
  process.argv = [process.argv[0], path, ...args];
  await import(pathToFileURL(path).href);
}

const [name = 'start', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  fail(`unknown command "${name}"; there are: ${Object.keys(commands).join(', ')}`, 2);
}
checkNode();
await install();
if (command.typescript !== undefined) {
  await runTypescript(command.typescript, args);
} else {
  const program = join(root, 'node_modules', command.program);
  const env = { ...process.env, ...command.env };
  process.exitCode = await run(process.execPath, [program, ...command.args, ...args], { env });
}
