import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { assert, must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { planPeerPorts, planPorts, portIsFree } from '../../src/local/ports.ts';
import { sendSignal } from '../../src/local/process.ts';

const bootstrap = fileURLToPath(new URL('../../src/local/bootstrap.mjs', import.meta.url));

export interface LaunchOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly size?: number;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Waits for a condition, with what it was about in the error. */
export async function eventually(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    assert(performance.now() < deadlineMs, `not within ${timeoutMs} ms: ${what}`);
    await sleep(50);
  }
}

/** A program in a process of its own, as a user has it. */
export class StartedProgram {
  /** Everything it has said so far. */
  output = '';
  readonly exited: Promise<number | null>;
  readonly args: readonly string[];
  private readonly child: ChildProcess;

  constructor(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.args = args;
    this.child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.child.stdout?.on('data', collect);
    this.child.stderr?.on('data', collect);
    // 'close' rather than 'exit': the last output has been read then.
    this.exited = once(this.child, 'close').then(() => this.child.exitCode);
  }

  get pid(): number {
    return must(this.child.pid, 'it was started');
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async waitFor(pattern: RegExp, timeoutMs: number): Promise<void> {
    await eventually(`output ${pattern}`, timeoutMs, async () => {
      if (pattern.test(this.output)) return true;
      if (this.running) return false;
      // What it said last may not have been read yet.
      await Promise.race([this.exited, sleep(2_000)]);
      assert(pattern.test(this.output), `it ended without ${pattern}`);
      return true;
    }).catch((error) => {
      throw new Error(`${error.message}; it said:\n${this.output}`);
    });
  }

  /** @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.running) this.child.kill(signal);
    return this.exited;
  }
}

/** A run of `npm start`, or of another command. */
export class StartedCommand extends StartedProgram {
  constructor(
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
    command = 'start',
  ) {
    super(process.execPath, [bootstrap, command, ...flags], env);
  }
}

/** A cluster that is ready, with the means to hurt it. */
export class RunningCluster extends StartedCommand {
  readonly dataDir: string;
  readonly endpoints: readonly string[];
  readonly names: readonly string[];

  constructor(options: LaunchOptions) {
    const size = options.size ?? 3;
    const flags = ['--port', String(options.port), '--data-dir', options.dataDir];
    super([...flags, '--size', String(size), ...(options.flags ?? [])], options.env);
    const ports = planPorts(options.port, size);
    this.dataDir = options.dataDir;
    this.endpoints = ports.map((port) => memberUrl(port));
    this.names = ports.map((_, i) => `m${i + 1}`);
  }

  /** Waits until it says that it serves. */
  async ready(): Promise<void> {
    await this.waitFor(/is ready/, 40_000);
  }

  memberPid(name: string): number {
    const text = readFileSync(join(this.dataDir, `${name}.pid`), 'utf8').trim();
    assert(/^\d+$/.test(text), `a pid file is a number, not "${text}"`);
    return Number(text);
  }

  /** kill -9 of a member's process. @returns its pid */
  killMember(name: string): number {
    const pid = this.memberPid(name);
    sendSignal(pid, 'SIGKILL');
    return pid;
  }

  /** Kills a member and waits until the supervisor says that its successor serves. */
  async killAndAwaitReturn(name: string): Promise<void> {
    const seen = this.output.length;
    this.killMember(name);
    const back = new RegExp(`${name} \\(pid \\d+\\) is back`);
    await eventually(`${name} is back`, 30_000, () => back.test(this.output.slice(seen)));
  }

  /** A power failure: the supervisor and all members at once. */
  async killEverything(): Promise<void> {
    const members = this.names.map((name) => this.memberPid(name));
    for (const pid of [this.pid, ...members]) sendSignal(pid, 'SIGKILL');
    await this.exited;
  }
}

/** Directories and commands of one test, cleared away after it, whatever happened. */
export class Workshop {
  private readonly directories: string[] = [];
  private readonly commands: StartedProgram[] = [];

  dataDir(): string {
    const path = mkdtempSync(join(tmpdir(), 'edgetcd-e2e-'));
    this.directories.push(path);
    return path;
  }

  async launch(options: LaunchOptions): Promise<RunningCluster> {
    const cluster = this.start(options);
    await cluster.ready();
    return cluster;
  }

  /** The same without waiting until it is ready: it may never be. */
  start(options: LaunchOptions): RunningCluster {
    const cluster = new RunningCluster(options);
    this.commands.push(cluster);
    return cluster;
  }

  /** Runs a command that is expected to end by itself. */
  run(flags: readonly string[]): StartedCommand {
    const command = new StartedCommand(flags);
    this.commands.push(command);
    return command;
  }

  /** A member that is started by itself: `npm run member`. */
  member(flags: readonly string[], env: Readonly<Record<string, string>> = {}): StartedCommand {
    return this.started(new StartedCommand(flags, env, 'member'));
  }

  /** `npm run proxy`, until it serves at that port. */
  async proxy(port: number, flags: readonly string[]): Promise<string> {
    const url = memberUrl(port);
    const all = ['--listen-client-urls', url, ...flags];
    await this.started(new StartedCommand(all, {}, 'proxy')).waitFor(/proxy is ready/, 20_000);
    return url;
  }

  /** Any other program. */
  program(file: string, args: readonly string[]): StartedProgram {
    return this.started(new StartedProgram(file, args));
  }

  private started<T extends StartedProgram>(command: T): T {
    this.commands.push(command);
    return command;
  }

  async clear(): Promise<void> {
    await Promise.all(this.commands.splice(0).map((command) => command.stop()));
    for (const path of this.directories.splice(0)) rmSync(path, { recursive: true, force: true });
  }
}

/** Workers run at once, and a member that was killed leaves its port free: each has its own. */
export const workerNumber = (Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % 2;
const portsOfWorker = 800;
/** `fetch` does not speak to these, whoever listens there. */
const portsRefused = [1_719, 1_720, 1_723, 2_049];

/**
 * A first port whose whole plan is free now. A third member's ports are 30,000 above: they too are
 * below 32,768, from where on the system gives ports to outgoing connections.
 */
export async function freeFirstPort(size = 3): Promise<number> {
  const base = 1_100 + workerNumber * portsOfWorker;
  for (let first = base + (process.pid % 25) * 20; first < base + portsOfWorker; first += 7) {
    if (portsRefused.some((port) => port >= first && port < first + 5)) continue;
    // Three further on there is room for another start of the same cluster.
    const plans = [first, first + 3].map((port) => planPorts(port, size));
    const all = plans.flatMap((ports) => [...ports, ...planPeerPorts(ports)]);
    const free = await Promise.all(all.map((port) => portIsFree(port)));
    if (free.every(Boolean)) return first;
  }
  throw new Error('no free ports');
}
