import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import { EtcdError } from '../api/error.ts';
import { Leader, RenewLeasesRequestSchema } from '../api/gen/command_pb.ts';
import { limits, requestTimeoutMs } from '../config.ts';
import type { MemberId } from '../raft/message.ts';
import type { ServiceHost } from './services/service.ts';

/** The member that is asked. */
export interface KeepAliveMember
  extends Pick<ServiceHost, 'lessor' | 'clock' | 'linearizable' | 'askLeader'> {
  readonly node: { readonly soft: { readonly leader: MemberId | null } };
  readonly settings: { readonly electionTimeoutMs: number; readonly heartbeatIntervalMs: number };
}

/** Of the question that many clients share. */
const NOBODYS: CallContext = { token: null, timeoutMs: null, requireLeader: false };

interface Waiter {
  readonly id: bigint;
  readonly resolve: (ttl: bigint) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keepalives of this member's clients. The leader renews, and says so only after it has found out
 * that it still led when the request came: a deposed one would vouch for leases that its successor
 * has ended. Those that arrive together share one question, and one frame to the leader.
 */
export class KeepAlives {
  readonly #member: KeepAliveMember;
  readonly #bugs: ReadonlySet<string>;
  #gathered: Waiter[] = [];
  #pending = 0;

  /** @param bugs see bugs.ts; empty but in tests */
  constructor(member: KeepAliveMember, bugs: ReadonlySet<string> = new Set()) {
    this.#member = member;
    this.#bugs = bugs;
  }

  /** The TTL it has again, in seconds; zero: it does not exist any more. @throws EtcdError */
  async renew(id: bigint): Promise<bigint> {
    if (this.#pending >= limits.keepAlivesPendingMax) throw EtcdError.of('tooManyRequests');
    this.#pending++;
    this.#member.lessor.touch(id);
    const renewed = new Promise<bigint>((resolve, reject) => {
      if (this.#gathered.length === 0) this.#member.clock.defer(() => this.#send());
      this.#gathered.push({ id, resolve, reject });
    });
    return renewed.finally(() => this.#pending--);
  }

  /** Renews here, at the leader, what clients of this or another member ask for. */
  async answer(ids: readonly bigint[]): Promise<bigint[]> {
    const { lessor } = this.#member;
    const { term } = lessor;
    const checkLeads = () => {
      if (!lessor.leading || lessor.term !== term) throw EtcdError.of('leaderChanged');
    };
    checkLeads();
    for (const id of ids) lessor.touch(id);
    if (!this.#bugs.has('keepalive-unconfirmed')) await this.#confirm();
    checkLeads();
    const ttls = ids.map((id) => lessor.renew(id));
    const ending = ids.filter((_, i) => ttls[i] === null);
    if (ending.length > 0) {
      await this.#inTime(Promise.all(ending.map((id) => lessor.gone(id))));
      checkLeads();
    }
    return ttls.map((ttl) => ttl ?? 0n);
  }

  #send(): void {
    const waiters = this.#gathered;
    this.#gathered = [];
    for (let at = 0; at < waiters.length; at += limits.keepAlivesPerFrame) {
      void this.#settle(waiters.slice(at, at + limits.keepAlivesPerFrame));
    }
  }

  async #settle(waiters: readonly Waiter[]): Promise<void> {
    try {
      const ttls = await this.#persist(waiters.map(({ id }) => id));
      for (const [i, { resolve }] of waiters.entries()) resolve(ttls[i] ?? 0n);
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }

  /** Goes on through a change of leader: renewing twice does no harm. */
  async #persist(ids: readonly bigint[]): Promise<readonly bigint[]> {
    const { lessor, node, settings } = this.#member;
    const startMs = this.#member.clock.nowMs();
    const deadlineMs = startMs + requestTimeoutMs(settings.electionTimeoutMs);
    const noLeaderMs = startMs + this.#leaderPatienceMs;
    for (;;) {
      try {
        return await (lessor.leading ? this.answer(ids) : this.#askLeader(ids));
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const nowMs = this.#member.clock.nowMs();
        if (node.soft.leader === null && nowMs >= noLeaderMs) throw EtcdError.of('noLeader');
        if (nowMs >= deadlineMs) throw error;
      }
      await new Promise<void>((resolve) => {
        this.#member.clock.setTimer(resolve, settings.heartbeatIntervalMs);
      });
    }
  }

  /**
   * How long there may be no leader: some elections. Said while the answer's head is not out yet,
   * so that the client sees it as a status.
   */
  get #leaderPatienceMs(): number {
    return limits.streamLeaderLossElections * this.#member.settings.electionTimeoutMs;
  }

  #confirm(): Promise<void> {
    const timeoutMs = this.#leaderPatienceMs;
    return this.#member.linearizable({ ...NOBODYS, timeoutMs });
  }

  async #askLeader(ids: readonly bigint[]): Promise<readonly bigint[]> {
    const request = create(RenewLeasesRequestSchema, { leaseIds: [...ids] });
    const { ttls } = await this.#member.askLeader(Leader.method.renewLeases, request, NOBODYS);
    return ttls;
  }

  #inTime(work: Promise<unknown>): Promise<unknown> {
    const late = new Promise((_, reject) => {
      const ms = requestTimeoutMs(this.#member.settings.electionTimeoutMs);
      this.#member.clock.setTimer(() => reject(EtcdError.of('timeout')), ms);
    });
    return Promise.race([work, late]);
  }
}
