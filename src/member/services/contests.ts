import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import type { ResponseHeader } from '../../api/gen/rpc_pb.ts';
import { limits, requestTimeoutMs } from '../../config.ts';
import type { MemberId } from '../../raft/message.ts';
import {
  type Contender,
  type Entry,
  entryOf,
  entryTxn,
  leaveTxn,
  standingOf,
  standingTxn,
} from './contest.ts';
import { grantLease } from './lease.ts';
import type { ServiceHost } from './service.ts';
import { readTxn, type StoreHost, writeTxn } from './store.ts';

/** What a contender who did not give one holds its place with, as in etcd. */
const OWN_LEASE_TTL_SECONDS = 60n;

/** Tries to remove a key while those before it come and go. */
const LEAVE_TRIES_MAX = 5;

/** The member at which they wait. */
export interface ContestHost
  extends StoreHost,
    Pick<ServiceHost, 'linearizable' | 'clock' | 'watches' | 'lessor'> {
  readonly node: { readonly soft: { readonly leader: MemberId | null } };
  readonly settings: { readonly electionTimeoutMs: number };
}

/** One that waits for its turn. */
interface Waiter {
  /** Of the clock; null: it has time. */
  readonly deadlineMs: number | null;
  readonly requireLeader: boolean;
  readonly fail: (error: EtcdError) => void;
}

/**
 * The contenders for locks and elections that wait at this member. One waits for the deletion of
 * one key, and then looks again at a confirmed state, so that it owns only what it owned at that
 * revision. Nobody polls.
 */
export class Contests {
  readonly #host: ContestHost;
  readonly #bugs: ReadonlySet<string>;
  readonly #waiters = new Set<Waiter>();
  #sweeping = false;
  #leaderSeenMs = 0;

  /** @param bugs see member/bugs.ts; empty but in tests */
  constructor(host: ContestHost, bugs: ReadonlySet<string> = new Set()) {
    this.#host = host;
    this.#bugs = bugs;
  }

  /** Those that wait here. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** The lease that was given, or a new one. */
  async leaseOf(lease: bigint, context: CallContext): Promise<bigint> {
    if (lease !== 0n) return lease;
    const granted = await grantLease(this.#host, 0n, OWN_LEASE_TTL_SECONDS, context);
    return granted.ID;
  }

  /** Takes part in the contest. @throws EtcdError */
  async enter(
    name: Uint8Array,
    lease: bigint,
    value: Uint8Array,
    context: CallContext,
  ): Promise<Entry & { header: ResponseHeader }> {
    if (this.#waiters.size >= limits.contestWaitersMax) throw EtcdError.of('tooManyRequests');
    const response = await writeTxn(this.#host, entryTxn(name, lease, value), context);
    return { ...entryOf(name, lease, response), header: response.header };
  }

  /**
   * Returns when the contender owns; the header is of the revision at which it was seen to. Null:
   * it is out, and will not own. When the wait is given up its key is removed.
   * @throws EtcdError why the wait was given up
   */
  async untilOwner(
    contender: Contender,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<ResponseHeader | null> {
    try {
      return await this.#untilOwner(contender, context, signal);
    } catch (error) {
      void this.#leave(contender, context);
      throw error;
    }
  }

  async #untilOwner(
    contender: Contender,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<ResponseHeader | null> {
    const { timeoutMs } = context;
    const { clock } = this.#host;
    const deadlineMs = timeoutMs === null ? null : clock.nowMs() + timeoutMs;
    for (;;) {
      if (signal.aborted) throw EtcdError.of('canceled');
      const leftMs = deadlineMs === null ? null : deadlineMs - clock.nowMs();
      if (leftMs !== null && leftMs <= 0) throw EtcdError.of('deadlineExceeded');
      await this.#host.linearizable({ ...context, timeoutMs: leftMs });
      const response = readTxn(this.#host, standingTxn(contender), context);
      const standing = standingOf(contender, response);
      if (standing.kind === 'owner') return response.header;
      if (standing.kind === 'out') return null;
      await this.#untilGone(standing.key, { deadlineMs, ...context }, signal);
      if (this.#bugs.has('lock-granted-blindly'))
        return this.#host.header(this.#host.machine.revision);
    }
  }

  /**
   * Returns when the key, which exists in this member's state as it is now, may have been deleted.
   */
  async #untilGone(
    key: Uint8Array,
    { deadlineMs, requireLeader }: Pick<Waiter, 'deadlineMs' | 'requireLeader'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { watches } = this.#host;
    let end = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const changed = () => resolve();
        const stop = watches.watch({ key, noPut: true }, { events: changed, compacted: changed });
        const waiter: Waiter = { deadlineMs, requireLeader, fail: reject };
        const canceled = () => reject(EtcdError.of('canceled'));
        signal.addEventListener('abort', canceled);
        this.#waiters.add(waiter);
        this.#sweepLater();
        end = () => {
          stop();
          signal.removeEventListener('abort', canceled);
          this.#waiters.delete(waiter);
        };
      });
    } finally {
      end();
    }
  }

  /** One timer for all that wait: deadlines that have passed, and a leader that is lost. */
  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const { clock } = this.#host;
    this.#leaderSeenMs = clock.nowMs();
    const sweep = () => {
      if (this.#waiters.size === 0) {
        this.#sweeping = false;
        return;
      }
      this.#sweep(clock.nowMs());
      clock.setTimer(sweep, limits.contestSweepMs);
    };
    clock.setTimer(sweep, limits.contestSweepMs);
  }

  #sweep(nowMs: number): void {
    const { node, settings } = this.#host;
    if (node.soft.leader !== null) this.#leaderSeenMs = nowMs;
    const { electionTimeoutMs } = settings;
    const lostMs = nowMs - this.#leaderSeenMs;
    const patienceMs = requestTimeoutMs(electionTimeoutMs);
    const shortMs = limits.streamLeaderLossElections * electionTimeoutMs;
    for (const { deadlineMs, requireLeader, fail } of [...this.#waiters]) {
      if (deadlineMs !== null && nowMs >= deadlineMs) fail(EtcdError.of('deadlineExceeded'));
      else if (lostMs >= (requireLeader ? shortMs : patienceMs)) fail(EtcdError.of('noLeader'));
    }
  }

  /**
   * Gives up the place in the queue, but never an ownership: the client may have asked again with
   * the same lease, at another member, and been told that it owns. So the key goes only while an
   * older one is there. Where that cannot be had in a few tries the key is left to its lease.
   */
  async #leave(contender: Contender, { token, ...more }: CallContext): Promise<void> {
    const context = { ...more, token, timeoutMs: null, requireLeader: false };
    try {
      for (let tries = 0; tries < LEAVE_TRIES_MAX; tries++) {
        await this.#host.linearizable(context);
        const standing = standingOf(
          contender,
          readTxn(this.#host, standingTxn(contender), context),
        );
        if (standing.kind !== 'waits') return;
        const left = await writeTxn(this.#host, leaveTxn(contender, standing.key), context);
        if (left.succeeded) return;
      }
    } catch (error) {
      // Nothing is lost: the key goes with its lease.
      if (!(error instanceof EtcdError)) throw error;
    }
  }
}
