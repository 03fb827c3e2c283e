import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../src/lib/assert.ts';
import { workerEntry } from '../src/local/bundle.ts';
import { LocalCluster } from '../src/local/cluster.ts';
import { Output } from '../src/local/output.ts';
import { planPeerPorts, planPorts } from '../src/local/ports.ts';
import { findFirstPort, leaderFirst, type System } from './system.ts';

const size = 3;

/** A cluster of our own. */
export interface OwnSystem extends System {
  /** The process of a member now; null while there is none. */
  readonly processOf: (name: string) => number | null;
}

/**
 * A local cluster of three members as `npm start` runs it, on a directory of its own.
 * @param restart whether a member that dies is started again
 */
export async function startCluster(signal: AbortSignal, restart = false): Promise<OwnSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-'));
  let cluster: LocalCluster | null = null;
  const killNow = (): void => {
    cluster?.kill();
    rmSync(dataDir, { recursive: true, force: true });
  };
  process.on('exit', killNow);
  const stop = async (): Promise<void> => {
    await cluster?.stop();
    killNow();
    process.off('exit', killNow);
  };
  try {
    const opened = await openCluster(dataDir, restart);
    cluster = opened;
    await opened.start();
    const members = opened.members.map(({ address, url, pid }) => ({
      name: address.name,
      url,
      pid: must(pid, 'a started member has a process'),
    }));
    const processOf = (name: string) =>
      opened.members.find(({ address }) => address.name === name)?.pid ?? null;
    return { name: 'ours', members: await leaderFirst(members, signal), stop, processOf };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openCluster(dataDir: string, restart: boolean): Promise<LocalCluster> {
  const port = await findFirstPort((first) => {
    const ports = planPorts(first, size);
    return [...ports, ...planPeerPorts(ports)];
  });
  const shared = { port, size, name: null, dataDir, logLevel: 'warn', restart } as const;
  const options = { ...shared, grpc: true };
  return LocalCluster.open(
    { ...options, defaults: { port, size, name: 'bench' } },
    {
      // Standard output belongs to the tables.
      output: new Output('warn', process.stderr, process.stderr),
      environment: process.env,
      workerEntry,
    },
  );
}
