import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename, delimiter, dirname } from 'node:path';
import { assert, must } from '../../src/lib/assert.ts';
import { sendSignal } from '../../src/local/process.ts';
import { eventually } from './cluster.ts';

export type Environment = Readonly<Record<string, string>>;

const root = new URL('../..', import.meta.url).pathname;

/**
 * A machine, or a container: a command in an environment of its own, which has nothing of ours but
 * where programs are.
 */
export class Host {
  readonly url: string;
  readonly #command: string;
  readonly #environment: Environment;
  #child: ChildProcess | null = null;
  #output = '';

  constructor(command: string, environment: Environment, url: string, home: string) {
    this.url = url;
    this.#command = command;
    const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
    this.#environment = { PATH: path, HOME: home, ...environment };
  }

  /** Runs the command. Programs are found by their names, wherever the files say that they are. */
  start(): void {
    const [program = '', ...args] = this.#command.split(' ');
    const child = spawn(basename(program), args, {
      cwd: root,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, which can be ended as a container or a service is.
      detached: true,
    });
    this.#output = '';
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    this.#child = child;
  }

  async waitFor(pattern: RegExp, timeoutMs: number): Promise<void> {
    await eventually(`output ${pattern}`, timeoutMs, () => {
      const isSeen = pattern.test(this.#output);
      assert(isSeen || this.#isRunning, `it ended without ${pattern}`);
      return isSeen;
    }).catch((error) => {
      throw new Error(`${error.message}; it said:\n${this.#output}`);
    });
  }

  /** As `docker stop` and `systemctl stop`: the first process is told. @returns its exit code */
  async stop(): Promise<number | null> {
    const child = must(this.#child, 'it was started');
    if (this.#isRunning) {
      child.kill('SIGTERM');
      await once(child, 'close');
    }
    return child.exitCode;
  }

  /** All its processes at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const closed = this.#isRunning ? once(child, 'close') : null;
    sendSignal(-child.pid, 'SIGKILL');
    await closed;
  }

  /** Another command in the same place. @returns its exit code */
  async run([program = '', ...args]: readonly string[]): Promise<number | null> {
    const child = spawn(program, args, { cwd: root, env: this.#environment, stdio: 'ignore' });
    await once(child, 'close');
    return child.exitCode;
  }

  get #isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }
}
