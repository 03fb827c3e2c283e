import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

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
