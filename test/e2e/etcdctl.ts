import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { must } from '../../src/lib/assert.ts';
import { eventually } from './cluster.ts';

/** What a run of etcdctl has left. */
export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Whether there is an etcdctl to test with: Debian's package is called etcd-client. */
export const hasEtcdctl = spawnSync('etcdctl', ['version']).error === undefined;
export const hasEtcd = spawnSync('etcd', ['--version']).error === undefined;

/** etcdctl's v3, against those endpoints (`host:port`). */
export class Etcdctl {
  readonly #endpoints: string;

  constructor(endpoints: readonly string[]) {
    this.#endpoints = endpoints.map((url) => url.replace('http://', '')).join(',');
  }

  /** Runs it to its end. @param input what it reads */
  async run(args: readonly string[], input = ''): Promise<Ran> {
    const child = this.start(args);
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    // It may end before it has read that.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    await once(child, 'close');
    return { code: child.exitCode, output, errors };
  }

  /** What it says, which must go well. */
  async say(...args: string[]): Promise<string> {
    const { code, output, errors } = await this.run(args);
    if (code !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${code} ${errors}`);
    return output;
  }

  start(args: readonly string[]) {
    const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: this.#endpoints };
    return spawn('etcdctl', args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  }
}

/** The id of a member that could lead next, once all three name the same leader. */
export async function followerId(etcdctl: Etcdctl): Promise<string> {
  let follower: string | undefined;
  await eventually('all know the same leader', 30_000, async () => {
    const { output } = await etcdctl.run(['endpoint', 'status', '-w', 'json']);
    // Ids are larger than what JSON.parse can hold: taken from the text.
    const numbers = (pattern: RegExp) => [...output.matchAll(pattern)].map(([, id = '']) => id);
    const ids = numbers(/"member_id":(\d+)/g);
    const leaders = numbers(/"leader":(\d+)/g);
    follower = ids.find((id) => id !== leaders[0]);
    const areAll = ids.length === 3 && leaders.length === 3;
    return areAll && new Set(leaders).size === 1 && ids.includes(must(leaders[0], 'there are 3'));
  });
  return BigInt(must(follower, 'two follow')).toString(16);
}
