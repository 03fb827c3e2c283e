import { AsyncLocalStorage } from 'node:async_hooks';
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Miniflare, type MiniflareOptions } from 'miniflare';
import { must } from '../lib/assert.ts';
import { hostInUrl, type Listener } from './listen_url.ts';
import { HOST } from './ports.ts';
import { answerDns, type Lookup } from './resolver.ts';
import { withV8Flags } from './v8_flags.ts';

/** The platform's behaviour as of that day: the same date as in the deployment's wrangler.toml. */
export const compatibilityDate = '2026-04-20';
export const compatibilityFlags = ['enable_request_signal'];

/**
 * A young generation of 1 MiB instead of 16. What a call between Worker and object allocates lives
 * until its answer is out, so it survives collections: of a large young generation each copies much
 * at once, and everybody waits for 16 to 20 ms.
 */
const v8Flags = ['--max-semi-space-size=1'];

/** For a million keys of usual length: here a member has a process to itself, and no 128 MB. */
const versionIndexBytes = 48 * 1024 * 1024;

export interface WorkerdSpec {
  /** The bundled Worker. */
  readonly script: string;
  readonly bindings: Record<string, string>;
  /** Where the Durable Object's databases live. */
  readonly persistPath: string;
  readonly port: number;
  /** All places where it listens, if that is not the port on loopback. */
  readonly sockets?: readonly Listener[];
  /** Answers the member's questions to DNS; without it the member asks over HTTPS. */
  readonly lookup?: Lookup;
  /** A line that the process wrote. */
  onLine(stream: 'stdout' | 'stderr', line: string): void;
}

/** How a process ended: an exit code or a signal. */
export type Exit = { readonly code: number } | { readonly signal: NodeJS.Signals };

/** One member: a Miniflare of its own in this process, and its one workerd child. */
export interface WorkerdProcess {
  readonly pid: number;
  /** Resolves when the child is gone, whatever the cause. */
  readonly exited: Promise<Exit>;
  /** Ends the child and frees what belongs to it. Returns also when the child died by itself. */
  stop(): Promise<void>;
}

/** How long workerd may finish the requests in hand after SIGTERM before it is killed. */
const drainMs = 500;
/** Freeing Miniflare must never keep the supervisor: its child is dead by then. */
const disposeTimeoutMs = 2_000;

/** Starts a member. @throws Error when workerd does not come up */
export async function startWorkerd(spec: WorkerdSpec): Promise<WorkerdProcess> {
  const children: ChildProcess[] = [];
  const miniflare = observingChildren(children, () =>
    withoutSignalHandlers(() => {
      const tune = () => tuneV8(must(children[0], 'Miniflare started workerd'));
      return new Miniflare(miniflareOptions(spec, tune));
    }),
  );
  const dispose = async (): Promise<void> => {
    // Rejects when the child never came up, which start has reported already.
    await Promise.race([miniflare.dispose().catch(() => undefined), unrefSleep(disposeTimeoutMs)]);
  };
  try {
    await miniflare.ready;
  } catch (error) {
    await dispose();
    throw error;
  }
  const child = must(children[0], 'Miniflare started workerd');
  const pid = must(child.pid, 'a running process has a pid');
  const exited = waitForExit(child);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await Promise.race([exited, unrefSleep(drainMs)]);
    }
    await dispose();
  };
  return { pid, exited, stop };
}

/**
 * One member as Miniflare is told of it.
 * @param onSpawned called when there is a process, before it is told its configuration
 */
export function miniflareOptions(
  spec: WorkerdSpec,
  onSpawned: () => void = () => undefined,
): MiniflareOptions {
  const { lookup } = spec;
  const resolver =
    lookup && ((request: { readonly url: string }) => answerDns(request.url, lookup));
  return {
    // Given as a list: Miniflare parses a lone script for its imports, 0.3 s for each member.
    modules: [{ type: 'ESModule', path: 'worker.js', contents: spec.script }],
    compatibilityDate,
    compatibilityFlags,
    bindings: { EDGETCD_VERSION_INDEX_BYTES: String(versionIndexBytes), ...spec.bindings },
    ...(resolver ? { serviceBindings: { RESOLVER: resolver } } : {}),
    ...databaseOptions(spec.persistPath),
    host: HOST,
    // Miniflare's own entry adds a proxy and hides disconnects: nothing uses it.
    port: 0,
    unsafeDirectSockets: (spec.sockets ?? [{ host: HOST, port: spec.port }]).map(
      ({ host, port }) => ({ host: hostInUrl(host), port }),
    ),
    // Otherwise Miniflare asks the network where in the world this machine is.
    cf: false,
    cache: false,
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      createInterface(stdout).on('line', (line) => spec.onLine('stdout', line));
      createInterface(stderr).on('line', (line) => spec.onLine('stderr', line));
      onSpawned();
    },
  };
}

/** What decides where in a directory a member's database is. */
export function databaseOptions(persistPath: string) {
  return {
    name: 'edgetcd',
    durableObjects: {
      MEMBER: { className: 'EtcdMember', useSQLite: true, unsafePreventEviction: true },
    },
    durableObjectsPersist: persistPath,
  };
}

/**
 * Miniflare writes the configuration as one chunk to the process that it has just spawned: it is
 * changed on its way.
 */
function tuneV8(child: ChildProcess): void {
  const stdin = must(child.stdin, 'workerd reads its configuration from a pipe');
  const write = stdin.write.bind(stdin) as (config: Uint8Array) => boolean;
  stdin.write = (config: Uint8Array) => write(withV8Flags(config, v8Flags));
}

async function waitForExit(child: ChildProcess): Promise<Exit> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.signalCode !== null) return { signal: child.signalCode };
  return { code: must(child.exitCode, 'a process ends by a signal or with a code') };
}

/**
 * Miniflare does not say which process it started. Node announces every child on a diagnostics
 * channel, within the asynchronous context that spawned it, so that members which start at the
 * same time do not take each other's.
 */
function observingChildren(children: ChildProcess[], start: () => Miniflare): Miniflare {
  const context = new AsyncLocalStorage<true>();
  const onSpawn = (message: unknown): void => {
    if (context.getStore() !== true) return;
    const { process: child } = message as { process: ChildProcess };
    children.push(child);
    // One Miniflare with one Worker has one child.
    unsubscribe('child_process', onSpawn);
  };
  subscribe('child_process', onSpawn);
  const miniflare = context.run(true, start);
  const over = (): void => {
    unsubscribe('child_process', onSpawn);
    // While a context is kept Node follows every promise, socket and stream of this process, which
    // costs the bridge to gRPC, and what passes HTTP on, a tenth of their time.
    context.disable();
  };
  void miniflare.ready.catch(() => undefined).finally(over);
  return miniflare;
}

/**
 * Miniflare ends the whole process at a signal. Stopping is the supervisor's business: the
 * handlers that appear meanwhile are taken away. (Its hook on 'exit' stays: no child survives us.)
 */
function withoutSignalHandlers<T>(start: () => T): T {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const result = start();
  signals.forEach((signal, i) => {
    for (const listener of process.listeners(signal)) {
      if (before[i]?.has(listener) === false) process.off(signal, listener);
    }
  });
  return result;
}

function unrefSleep(ms: number): Promise<void> {
  return sleep(ms, undefined, { ref: false });
}
