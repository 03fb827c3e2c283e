import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../src/lib/assert.ts';
import { memberUrl } from '../src/local/bindings.ts';
import { findFirstPort, leaderFirst, type System } from './system.ts';

interface Address {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

/** The version of the etcd on the PATH, or null. */
export function etcdVersion(): string | null {
  const { stdout, error } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return null;
  return /etcd Version: (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}

/** Three etcd processes with etcd's defaults, on a directory of their own. */
export async function startEtcd(signal: AbortSignal): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-etcd-'));
  const children: ChildProcess[] = [];
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  };
  process.on('exit', killAll);
  const stop = async (): Promise<void> => {
    const running = children.filter((child) => child.exitCode === null && child.pid !== undefined);
    const exits = running.map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(exits);
    killAll();
    process.off('exit', killAll);
  };
  try {
    const addresses = await planAddresses();
    for (const address of addresses) children.push(launch(address, addresses, dataDir));
    const members = addresses.map(({ name, client }, i) => ({
      name,
      url: client,
      pid: must(children[i]?.pid, 'etcd is on the PATH'),
    }));
    return { name: 'etcd', members: await leaderFirst(members, signal), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Six ports in a row. */
async function planAddresses(): Promise<Address[]> {
  const offsets = [0, 1, 2, 3, 4, 5];
  const first = await findFirstPort((port) => offsets.map((offset) => port + offset));
  return [0, 1, 2].map((i) => ({
    name: `e${i + 1}`,
    client: memberUrl(first + 2 * i),
    peer: memberUrl(first + 2 * i + 1),
  }));
}

function launch(self: Address, all: readonly Address[], dataDir: string): ChildProcess {
  const flags = {
    name: self.name,
    'data-dir': join(dataDir, self.name),
    'listen-client-urls': self.client,
    'advertise-client-urls': self.client,
    'listen-peer-urls': self.peer,
    'initial-advertise-peer-urls': self.peer,
    'initial-cluster': all.map(({ name, peer }) => `${name}=${peer}`).join(','),
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  return spawn('etcd', args, { stdio: 'ignore', env: withoutEtcdSettings() });
}

/** ETCD_* variables in the environment are meant for our own cluster. */
function withoutEtcdSettings(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_'));
  return Object.fromEntries(kept);
}
