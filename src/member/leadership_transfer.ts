import { EtcdError } from '../api/error.ts';
import { requestTimeoutMs } from '../config.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';

export interface LeadershipTransferHost {
  readonly memberId: MemberId;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  soft(): SoftState;
  nowMs(): number;
  setTimer(callback: () => void, ms: number): void;
  /** Tells the core to begin. */
  begin(target: MemberId): void;
}

/** Leadership that is handed to another member on purpose, and those who wait for it. */
export class LeadershipTransfer {
  readonly #host: LeadershipTransferHost;
  #waiters: (() => void)[] = [];

  constructor(host: LeadershipTransferHost) {
    this.#host = host;
  }

  /** Returns when the target leads, fails when that takes too long. @throws EtcdError */
  async to(target: MemberId): Promise<void> {
    const host = this.#host;
    if (target === host.memberId) return;
    const deadlineMs = host.nowMs() + requestTimeoutMs(host.electionTimeoutMs);
    const { term } = host.soft();
    host.begin(target);
    while (host.soft().leader !== target) {
      // Somebody else was elected: the target will not be any more.
      const soft = host.soft();
      if (soft.term > term && soft.leader !== null) throw EtcdError.of('leaderChanged');
      if (host.nowMs() >= deadlineMs) throw EtcdError.of('timeout');
      await this.#change();
    }
  }

  /** Role, leader or term are others than before. */
  softStateChanged(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves at the next change of role, leader or term, or after a heartbeat. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#host.setTimer(resolve, this.#host.heartbeatIntervalMs);
    });
  }
}
