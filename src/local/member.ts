import { setTimeout as sleep } from 'node:timers/promises';
import { type MemberAddress, memberUrl } from './bindings.ts';
import { messageOf } from './error.ts';
import type { Output } from './output.ts';
import { type Probe, probeMember } from './probe.ts';
import { sendSignal } from './process.ts';
import { type Exit, startWorkerd, type WorkerdProcess, type WorkerdSpec } from './workerd.ts';

/** Wait before a restart: doubles with every death, starts over after a life of that length. */
export const backoff = { firstMs: 500, maxMs: 10_000, resetAfterMs: 30_000 } as const;

/**
 * A terminal's Ctrl-C reaches the members as well as us: a death waits this long to be told from a
 * stop.
 */
const stopMayFollowMs = 150;
const probeEveryMs = 100;
const probeTimeoutMs = 2_000;
/** An object that is just being reset has odd things to say too, but not for a second. */
const refusalsToBelieve = 10;
/** With ETCD_ROOT_PASSWORD the first leader enables authentication, but not at once. */
const closuresToBelieve = 30;

/** The wait after the next death, given the last wait and how long the process lived. */
export function nextBackoffMs(lastMs: number | null, livedMs: number): number {
  if (lastMs === null || livedMs >= backoff.resetAfterMs) return backoff.firstMs;
  return Math.min(lastMs * 2, backoff.maxMs);
}

export interface SupervisedMemberOptions {
  readonly address: MemberAddress;
  readonly spec: Omit<WorkerdSpec, 'onLine'>;
  readonly restart: boolean;
  readonly output: Output;
  /** Called with the pid of each new process, and with null when there is none. */
  onProcess(pid: number | null): void;
  /** The cluster has removed the member: it will never serve again. */
  onRemoved?(): void;
}

/** One member and its successive processes. */
export class SupervisedMember {
  readonly address: MemberAddress;
  readonly url: string;
  pid: number | null = null;
  private readonly options: SupervisedMemberOptions;
  private readonly stopping = new AbortController();
  private lastRefusal: string | null = null;
  private current: WorkerdProcess | null = null;
  private supervision: Promise<void> | null = null;

  constructor(options: SupervisedMemberOptions) {
    this.options = options;
    this.address = options.address;
    this.url = memberUrl(options.address.port, options.address.host);
  }

  /**
   * Starts the first process and supervises from then on. @throws Error when it does not come up
   */
  async start(): Promise<void> {
    const first = await this.launch();
    this.supervision = this.supervise(first).catch((error) => {
      this.options.output.error(
        `${this.address.name} is no longer supervised: ${messageOf(error)}`,
      );
    });
  }

  /** Ends the process and the supervision. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.current?.stop();
    await this.supervision;
    this.setPid(null);
  }

  /** For the impatient: no waiting, no cleaning up. */
  kill(): void {
    this.stopping.abort();
    if (this.pid !== null) sendSignal(this.pid, 'SIGKILL');
  }

  /** Asks the member until it has a leader or will not serve, or until it is over. */
  async settle(isOver: () => boolean): Promise<Probe> {
    let probe: Probe = { state: 'waiting', reason: 'not asked' };
    let refusals = 0;
    let closures = 0;
    while (!isOver() && !this.stopping.signal.aborted) {
      probe = await probeMember(this.url, probeTimeoutMs);
      refusals = probe.state === 'refused' ? refusals + 1 : 0;
      if (probe.state === 'ready' && !(probe.closed && ++closures < closuresToBelieve)) {
        return probe;
      }
      if (probe.state === 'refused' && refusals >= refusalsToBelieve) {
        this.reportRefusal(probe.reason);
        return probe;
      }
      await sleep(probeEveryMs);
    }
    return probe;
  }

  private async launch(): Promise<WorkerdProcess> {
    const { spec, output, address } = this.options;
    const started = await startWorkerd({
      ...spec,
      onLine: (stream, line) => {
        if (!this.stopping.signal.aborted) output.memberLine(address.name, stream, line);
      },
    });
    this.current = started;
    this.setPid(started.pid);
    // A stop that came while it was starting found nothing to end.
    if (this.stopping.signal.aborted) await started.stop();
    return started;
  }

  private async supervise(first: WorkerdProcess): Promise<void> {
    let running: WorkerdProcess | null = first;
    let waitMs: number | null = null;
    while (!this.stopping.signal.aborted) {
      const bornMs = performance.now();
      const cause: string =
        running === null ? `${this.address.name} does not start` : await this.waitForDeath(running);
      if (this.stopping.signal.aborted) return;
      if (!this.options.restart) {
        this.options.output.warning(`${cause}; it stays down (--no-restart)`);
        return;
      }
      waitMs = nextBackoffMs(waitMs, performance.now() - bornMs);
      this.options.output.warning(`${cause}; starting again in ${waitMs / 1_000} s`);
      await sleep(waitMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      running = await this.relaunch();
    }
  }

  /** Waits for the process's end. @returns what to say about it */
  private async waitForDeath(running: WorkerdProcess): Promise<string> {
    const exit = await running.exited;
    await sleep(stopMayFollowMs);
    if (!this.stopping.signal.aborted) await running.stop();
    this.setPid(null);
    return `${this.address.name} (pid ${running.pid}) died (${describeExit(exit)})`;
  }

  /** A new process, or null when it does not come up, which counts as a death. */
  private async relaunch(): Promise<WorkerdProcess | null> {
    if (this.stopping.signal.aborted) return null;
    try {
      const started = await this.launch();
      void this.reportReturn(started);
      return started;
    } catch (error) {
      this.options.output.warning(`${this.address.name}: ${messageOf(error)}`);
      return null;
    }
  }

  private async reportReturn(started: WorkerdProcess): Promise<void> {
    let dead = false;
    void started.exited.then(() => {
      dead = true;
    });
    const probe = await this.settle(() => dead);
    if (probe.state !== 'ready') return;
    this.options.output.line(`${this.address.name} (pid ${started.pid}) is back`);
  }

  /** Once for each reason, however often it is probed or restarted. */
  private reportRefusal(reason: string): void {
    if (this.lastRefusal === reason) return;
    this.lastRefusal = reason;
    if (/permanently removed/.test(reason)) this.options.onRemoved?.();
    this.options.output.warning(`${this.address.name} does not serve: ${reason}`);
  }

  private setPid(pid: number | null): void {
    if (this.pid === pid) return;
    this.pid = pid;
    this.options.onProcess(pid);
  }
}

function describeExit(exit: Exit): string {
  return 'signal' in exit ? `signal ${exit.signal}` : `exit code ${exit.code}`;
}
