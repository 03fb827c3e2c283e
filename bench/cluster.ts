import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../src/lib/assert.ts';
import { memberUrl } from '../src/local/bindings.ts';
import { planPeerPorts, planPorts } from '../src/local/ports.ts';
import { type BenchMember, findFirstPort, leaderFirst, type System } from './system.ts';

const size = 3;
const command = fileURLToPath(new URL('../src/local/bootstrap.mjs', import.meta.url));
/** For members to end by themselves. */
const stopTimeoutMs = 8_000;

/** A cluster of our own. */
export interface OwnSystem extends System {
  /** The process of a member now; null while there is none. */
  readonly processOf: (name: string) => number | null;
}

/**
 * `npm start` in a process of its own, on a directory of its own.
 * @param restart whether a member that dies is started again
 * @param env settings of its members, beside those of this process
 */
export async function startCluster(
  signal: AbortSignal,
  restart = false,
  env: Readonly<Record<string, string>> = {},
): Promise<OwnSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-'));
  const port = await findFirstPort((first) => {
    const ports = planPorts(first, size);
    return [...ports, ...planPeerPorts(ports)];
  });
  const child = launch(port, dataDir, restart, env);
  const processOf = (name: string): number | null => readPid(join(dataDir, `${name}.pid`));
  const killNow = (): void => {
    child.kill('SIGKILL');
    for (const name of ['m1', 'm2', 'm3']) kill(processOf(name));
    rmSync(dataDir, { recursive: true, force: true });
  };
  process.on('exit', killNow);
  const stop = async (): Promise<void> => {
    await ended(child);
    killNow();
    process.off('exit', killNow);
  };
  try {
    await ready(child, signal);
    const members = planPorts(port, size).map((each, i): BenchMember => {
      const name = `m${i + 1}`;
      return { name, url: memberUrl(each), pid: must(processOf(name), 'a member has a process') };
    });
    const front = { name: 'front', pid: must(child.pid, 'it was started') };
    return { name: 'ours', members: await leaderFirst(members, signal), front, stop, processOf };
  } catch (error) {
    await stop();
    throw error;
  }
}

function launch(
  port: number,
  dataDir: string,
  restart: boolean,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const flags = ['--port', String(port), '--data-dir', dataDir, '--log-level', 'warn'];
  const args = [command, 'start', ...flags, ...(restart ? [] : ['--no-restart'])];
  const options = { env: { ...process.env, ...env } };
  return spawn(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Returns when it says so. @throws when it ends instead */
async function ready(child: ChildProcess, signal: AbortSignal): Promise<void> {
  const output = must(child.stdout, 'its output is a pipe');
  let text = '';
  const told = new Promise<void>((resolve, reject) => {
    output.on('data', (bytes: Buffer) => {
      if (text.length < 4_096) text += bytes.toString();
      if (text.includes(' is ready')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the cluster does not start: ${text.trim()}`)));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  await told;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await exit;
  clearTimeout(late);
}

function readPid(path: string): number | null {
  try {
    return Number(readFileSync(path, 'utf8')) || null;
  } catch {
    return null;
  }
}

function kill(pid: number | null): void {
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
