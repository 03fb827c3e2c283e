import { INTERNAL } from '../../../api/caller.ts';
import { EtcdError } from '../../../api/error.ts';
import type { Command } from '../../../api/gen/command_pb.ts';
import type { ResponseHeader } from '../../../api/gen/rpc_pb.ts';
import { must } from '../../../lib/assert.ts';
import { seededPrng } from '../../../lib/prng.ts';
import type { MemberId } from '../../../raft/message.ts';
import type { StateMachine } from '../../../state/machine.ts';
import type { ApplyResult } from '../../../state/result.ts';
import { Single } from '../../../state/testing/single.ts';
import { Hub } from '../../../watch/hub.ts';
import { Lessor } from '../../lessor.ts';
import type { ContestHost } from '../contests.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A member that is a whole cluster, without Raft: what is proposed is applied at once. */
export class Solo implements ContestHost {
  readonly single = new Single();
  nowMs = 0;
  readonly settings = { electionTimeoutMs: 1_000, heartbeatIntervalMs: 100 };
  readonly node: { soft: { leader: MemberId | null } } = { soft: { leader: 'm1' } };
  /** Called before a read is confirmed: what happens meanwhile. */
  beforeConfirmed: () => void = () => {};
  readonly clock = {
    nowMs: () => this.nowMs,
    wallClockMs: () => this.nowMs,
    defer: (callback: () => void) => this.clock.setTimer(callback, 0),
    setTimer: (callback: () => void, ms: number) => {
      this.#timers.push({ atMs: this.nowMs + ms, callback });
    },
  };
  readonly lessor = new Lessor({
    machine: () => this.machine,
    nowMs: () => this.nowMs,
    prng: seededPrng(1),
    electionTimeoutMs: 1_000,
    expire: () => {},
    setTimer: (callback, ms) => this.clock.setTimer(callback, ms),
  });
  readonly watches = new Hub({
    source: () => this.machine,
    soon: (callback) => queueMicrotask(callback),
    defer: (callback) => this.clock.defer(callback),
  });
  #timers: Timer[] = [];

  get machine(): StateMachine {
    return this.single.machine;
  }

  caller = () => INTERNAL;

  header(revision = 0): ResponseHeader {
    return {
      $typeName: 'etcdserverpb.ResponseHeader',
      clusterId: 1n,
      memberId: 1n,
      revision: BigInt(revision),
      raftTerm: 1n,
    };
  }

  apply(request: Command['request']): ApplyResult {
    const result = this.single.apply(request);
    this.watches.applied(result);
    this.lessor.applied(result);
    return result;
  }

  async propose(request: Command['request']): Promise<ApplyResult> {
    if (this.node.soft.leader === null) throw EtcdError.of('timeout');
    const result = this.apply(request);
    if (result.error) throw result.error;
    return result;
  }

  async linearizable(): Promise<void> {
    await Promise.resolve();
    if (this.node.soft.leader === null) throw EtcdError.of('timeout');
    this.beforeConfirmed();
  }

  /** Lets time pass, and all that waits for it happen. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await settled();
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
    }
    this.nowMs = endMs;
    await settled();
  }

  keys(): readonly string[] {
    return must([this.single.found('\0', '\0', { keysOnly: true })].flat(), 'no keys');
  }
}

/** Everything that is ready has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
