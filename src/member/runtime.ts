import { create, type DescMessage, type DescMethod, type MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import type { Caller } from '../api/caller.ts';
import type { EtcdError } from '../api/error.ts';
import { type Command, LeaseExpireSchema } from '../api/gen/command_pb.ts';
import type { ResponseHeader } from '../api/gen/rpc_pb.ts';
import { requestTimeoutMs } from '../config.ts';
import type { Prng } from '../lib/prng.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';
import type { StateMachine } from '../state/machine.ts';
import type { MembershipChange } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import type { Frame, FrameReply } from '../transport/frame.ts';
import type { Links } from '../transport/links.ts';
import type { Hub } from '../watch/hub.ts';
import { Authentication } from './auth/authentication.ts';
import { authenticationHost } from './auth/host.ts';
import type { SignedTokens } from './auth/signed_tokens.ts';
import { Belonging } from './belonging.ts';
import { ClientRequests, type OnOutcome } from './client_requests.ts';
import { Forwarding } from './forwarding.ts';
import type { NodeHost } from './host.ts';
import { type ClusterIdentity, foundersOf, numberOfId } from './identity.ts';
import { KeepAlives } from './keep_alives.ts';
import { LeadershipTransfer } from './leadership_transfer.ts';
import { Lessor } from './lessor.ts';
import { Node } from './node.ts';
import type { Peering } from './peering.ts';
import { ScheduledCompaction } from './scheduled_compaction.ts';
import {
  type Route,
  routesOf,
  type ServiceClock,
  type ServiceHost,
  type StreamRoute,
  streamRoutesOf,
} from './services/index.ts';
import type { MemberSettings } from './settings.ts';
import { Upkeep } from './upkeep.ts';
import { upkeepHost } from './upkeep_host.ts';
import type { PeerStats } from './v2/peer_stats.ts';
import { V2Service } from './v2/service.ts';
import type { WatchStreams } from './watch_streams.ts';
import { Watching } from './watching.ts';

/** What a running member needs from its object. */
export interface RuntimeHost extends NodeHost {
  readonly links: NodeHost['links'] & Pick<Links, 'exchange'>;
  readonly prng: Prng;
  /** Test only: see raft/bugs.ts, state/bugs.ts and bugs.ts. */
  readonly bugs?: ReadonlySet<string>;
  /** Where tokens are signed instead of kept. */
  readonly signedTokens?: SignedTokens | null;
  setTimer(callback: () => void, ms: number): void;
  /** Absent where nobody counts frames. */
  readonly peerStats?: PeerStats;
  /** Absent where the links do not follow the members. */
  readonly peering?: Pick<Peering, 'follow' | 'roster'>;
  /** The member has applied that it was removed. */
  left?(): void;
}

/** Who is told what happens: metrics. */
export interface RuntimeObserver {
  applied(result: ApplyResult): void;
  turnApplied(ms: number): void;
  softState(state: SoftState): void;
}

/**
 * A member that takes part: the node, the leases that it counts while it leads, and the services on
 * top of them.
 */
export class Runtime implements ServiceHost {
  readonly node: Node;
  readonly lessor: Lessor;
  readonly belonging: Belonging;
  readonly upkeep: Upkeep;
  readonly keepAlives: KeepAlives;
  readonly clock: ServiceClock;
  readonly authentication: Authentication;
  /** The same that the services promise, by callbacks. */
  readonly requests: ClientRequests;
  readonly settings: MemberSettings;
  readonly identity: ClusterIdentity;
  readonly routes: ReadonlyMap<string, Route>;
  readonly streamRoutes: ReadonlyMap<string, StreamRoute>;
  readonly v2: V2Service;
  readonly #host: RuntimeHost;
  readonly #watching: Watching;
  readonly #forwarding: Forwarding;
  readonly #clusterNumber: bigint;
  readonly #memberNumber: bigint;
  readonly #compaction: ScheduledCompaction;
  readonly #leadershipTransfer: LeadershipTransfer;

  constructor(
    settings: MemberSettings,
    identity: ClusterIdentity,
    host: RuntimeHost,
    observe: RuntimeObserver,
  ) {
    this.settings = settings;
    this.identity = identity;
    this.#host = host;
    this.clock = host;
    this.#clusterNumber = numberOfId(identity.clusterId);
    this.#memberNumber = numberOfId(identity.memberId);
    const { prng } = host;
    this.lessor = new Lessor({
      machine: () => this.machine,
      nowMs: () => host.nowMs(),
      prng,
      electionTimeoutMs: settings.electionTimeoutMs,
      setTimer: (callback, ms) => host.setTimer(callback, ms),
      expire: (lease, term) => this.#expire(lease, term),
      ...(host.bugs ? { bugs: host.bugs } : {}),
    });
    this.keepAlives = new KeepAlives(this, host.bugs);
    this.node = this.#openNode(observe);
    this.#compaction = new ScheduledCompaction({
      machine: () => this.machine,
      guard: (work) => this.node.guard(work),
      setTimer: (callback, ms) => host.setTimer(callback, ms),
    });
    this.#leadershipTransfer = this.#openLeadershipTransfer();
    const compacted = () => this.compacted();
    this.upkeep = new Upkeep(upkeepHost(this.node, settings, identity, host, compacted));
    this.belonging = this.#openBelonging();
    this.authentication = new Authentication(
      settings.auth,
      host.signedTokens ?? null,
      authenticationHost(this, host),
    );
    this.requests = new ClientRequests(this);
    this.#watching = new Watching(this, host);
    this.routes = routesOf(this, host.bugs);
    this.#forwarding = this.#openForwarding();
    this.streamRoutes = streamRoutesOf(this);
    this.v2 = new V2Service(this, host);
    this.node.start();
    this.upkeep.start();
    void this.compacted();
  }

  get machine(): StateMachine {
    return this.node.machine;
  }

  get watches(): Hub {
    return this.#watching.hub;
  }

  get watchStreams(): WatchStreams {
    return this.#watching.streams;
  }

  #openNode(observe: RuntimeObserver): Node {
    const { settings, identity } = this;
    const host = this.#host;
    const { prng } = host;
    return new Node(
      {
        memberId: identity.memberId,
        initialMembers: foundersOf(identity),
        heartbeatIntervalMs: settings.heartbeatIntervalMs,
        electionTimeoutMs: settings.electionTimeoutMs,
        quiesceAfterMs: settings.quiesceAfterMs,
        snapshotCount: settings.snapshotCount,
        snapshotCatchUpEntries: settings.snapshotCatchUpEntries,
        prng,
        ...(host.bugs ? { bugs: host.bugs } : {}),
        onApplied: (result) => {
          this.lessor.applied(result);
          this.authentication.applied(result);
          this.#watching.applied(result);
          this.v2.applied(result);
          if (result.command.request.case === 'compaction' && !result.error) void this.compacted();
          observe.applied(result);
        },
        isAttended: () => this.watches.isWatched,
        surroundings: {
          versionIndexBytesMax: settings.versionIndexBytesMax,
          previousWanted: () => this.watches.previousWanted,
        },
        onMembers: () => this.belonging.membersChanged(),
        onRestored: () => {
          this.#watching.restored();
          this.v2.restored();
        },
        onTurnApplied: (ms) => {
          this.upkeep.applied();
          observe.turnApplied(ms);
        },
        onSoftState: (state) => {
          this.#softStateChanged(state);
          observe.softState(state);
        },
      },
      host,
    );
  }

  #openBelonging(): Belonging {
    const host = this.#host;
    return new Belonging({
      settings: this.settings,
      identity: this.identity,
      peering: host.peering ?? null,
      node: () => this.node,
      header: () => this.header(),
      nowMs: () => host.nowMs(),
      setTimer: (callback, ms) => host.setTimer(callback, ms),
      exchange: (to, body) => host.links.exchange(to, body),
      left: () => host.left?.(),
    });
  }

  #openLeadershipTransfer(): LeadershipTransfer {
    const { node, settings, identity } = this;
    const host = this.#host;
    return new LeadershipTransfer({
      memberId: identity.memberId,
      electionTimeoutMs: settings.electionTimeoutMs,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      soft: () => node.soft,
      nowMs: () => host.nowMs(),
      setTimer: (callback, ms) => host.setTimer(callback, ms),
      begin: (target) => node.transferLeadership(target),
    });
  }

  #openForwarding(): Forwarding {
    return new Forwarding({
      authentication: this.authentication,
      routes: this.routes,
      machine: () => this.machine,
      otherLeader: () => {
        const { leader } = this.node.soft;
        return leader === this.identity.memberId ? null : leader;
      },
      isLeading: () => this.lessor.leading,
      exchange: (to, body) => this.#host.links.exchange(to, body),
      header: (revision) => this.header(revision),
      linearizable: (context) => this.linearizable(context),
      answerPeer: (path, request) => this.upkeep.answerPeer(path, request),
    });
  }

  /** It leads and is not asleep, or counts the time of leases. */
  get isNeeded(): boolean {
    if (!this.lessor.leading) return false;
    const counts = this.lessor.leaseCount > 0 || this.v2.expirer.isNeeded;
    return counts || !this.node.status.raft.quiescent;
  }

  /** Who answers in a session, and who leads. */
  get sessionIdentity(): { clusterId: bigint; memberId: bigint; leaderId: bigint } {
    const { leader } = this.node.soft;
    return {
      clusterId: this.#clusterNumber,
      memberId: this.#memberNumber,
      leaderId: leader === null ? 0n : numberOfId(leader),
    };
  }

  get leaderName(): string | null {
    return this.belonging.leaderName;
  }

  propose(request: Command['request'], context: CallContext): Promise<ApplyResult> {
    return new Promise((resolve, reject) => {
      this.requests.propose(request, context, settling(resolve, reject));
    });
  }

  proposeOwn(request: Command['request'], context: CallContext): Promise<ApplyResult> {
    return new Promise((resolve, reject) => {
      this.requests.proposeOwn(request, context, settling(resolve, reject));
    });
  }

  caller(context: CallContext): Caller {
    return this.authentication.access.caller(context);
  }

  linearizable(context: CallContext): Promise<void> {
    return new Promise((resolve, reject) => {
      this.requests.barrier(context, (error) => (error ? reject(error) : resolve()));
    });
  }

  compacted(): Promise<void> {
    return this.#compaction.run();
  }

  transferLeadership(target: MemberId): Promise<void> {
    return this.#leadershipTransfer.to(target);
  }

  header(revision = 0): ResponseHeader {
    // A literal: create() would cost as much as the rest of a small answer.
    return {
      $typeName: 'etcdserverpb.ResponseHeader',
      clusterId: this.#clusterNumber,
      memberId: this.#memberNumber,
      revision: BigInt(revision),
      raftTerm: BigInt(this.node.soft.term),
    };
  }

  askLeader<O extends DescMessage>(
    method: DescMethod & { output: O },
    request: MessageShape<DescMessage>,
    context: CallContext,
  ): Promise<MessageShape<O>> {
    return this.#forwarding.ask(method, request, context);
  }

  /** A call of another member. */
  answerCall(frame: Frame & { body: { kind: 'call' } }): Promise<FrameReply['call']> {
    return this.#forwarding.answer(frame);
  }

  reconfigure(request: MembershipChange, context: CallContext): Promise<ApplyResult> {
    return new Promise((resolve, reject) => {
      this.requests.reconfigure(request, context, settling(resolve, reject));
    });
  }

  #expire({ id, generation }: { id: bigint; generation: number }, term: number): void {
    const value = create(LeaseExpireSchema, { leaseId: id, generation: BigInt(generation) });
    const timeoutMs = requestTimeoutMs(this.settings.electionTimeoutMs);
    this.node.propose({ case: 'leaseExpire', value }, timeoutMs, () => {}, term);
  }

  #softStateChanged(state: SoftState): void {
    const { lessor } = this;
    const counts = lessor.leading && lessor.term === state.term;
    if (state.role === 'leader' && !counts) {
      lessor.promote(state.term);
      this.authentication.promoted();
      this.upkeep.promoted();
    }
    if (state.role !== 'leader' && lessor.leading) lessor.demote();
    this.belonging.softStateChanged(state);
    this.v2.softStateChanged(state);
    this.#leadershipTransfer.softStateChanged();
  }
}

/** What keeps a promise when the outcome of a write is known. */
function settling(
  resolve: (result: ApplyResult) => void,
  reject: (error: EtcdError) => void,
): OnOutcome {
  return ({ result, error }) => (error ? reject(error) : resolve(result));
}
