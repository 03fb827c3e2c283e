import { existsSync } from 'node:fs';
import { memberUrl } from '../../src/local/bindings.ts';
import { portIsFree } from '../../src/local/ports.ts';
import { eventually, type StartedProgram, type Workshop, workerNumber } from './cluster.ts';

const PROGRAM = '/usr/bin/etcd';

/** Why tests with a real etcd are not run here; null: they are. */
export const withoutEtcd: string | null = existsSync(PROGRAM) ? null : 'there is no etcd here';

/** Says so in the title of what is skipped. */
export const skipNote = withoutEtcd === null ? '' : ` (skipped: ${withoutEtcd})`;

/** A real etcd 3.4, with the flags that differ from test to test. */
export class RealEtcd {
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly process: StartedProgram;

  constructor(
    workshop: Workshop,
    name: string,
    [clientPort, peerPort]: readonly [number, number],
    flags: readonly string[],
  ) {
    this.clientUrl = memberUrl(clientPort);
    this.peerUrl = memberUrl(peerPort);
    const place = ['--name', name, '--data-dir', workshop.dataDir(), '--enable-v2'];
    const urls = [
      ['--listen-client-urls', this.clientUrl, '--advertise-client-urls', this.clientUrl],
      ['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
    ].flat();
    this.process = workshop.program(PROGRAM, [...place, ...urls, ...flags]);
  }

  async ready(): Promise<void> {
    await eventually(`${this.clientUrl} is healthy`, 30_000, () => isHealthy(this.clientUrl)).catch(
      (error) => {
        throw new Error(`${error.message}; it said:\n${this.process.output}`);
      },
    );
  }
}

export async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`)).ok;
  } catch {
    return false;
  }
}

/** So many ports at which nobody listens, below those that the system gives away. */
export async function freePorts(count: number, first = 27_100): Promise<number[]> {
  const free: number[] = [];
  const base = first + workerNumber * 500;
  for (let port = base; port < base + 100 && free.length < count; port++) {
    if (await portIsFree(port)) free.push(port);
  }
  if (free.length < count) throw new Error('no free ports');
  return free;
}
