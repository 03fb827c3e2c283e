import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import type { ResponseHeader } from '../api/gen/rpc_pb.ts';
import { methodOf } from '../api/methods.ts';
import { marshalledSize } from '../api/size.ts';
import { requestTimeoutMs } from '../config.ts';
import { must } from '../lib/assert.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';
import type { StateMachine } from '../state/machine.ts';
import type { ApplyResult } from '../state/result.ts';
import type { Frame, FrameBody, FrameReply } from '../transport/frame.ts';
import type { Links } from '../transport/links.ts';
import type { NodeHost } from './host.ts';
import { type ClusterIdentity, numberOfId } from './identity.ts';
import { Lessor } from './lessor.ts';
import { Node } from './node.ts';
import {
  type Route,
  routesOf,
  type ServiceHost,
  type StreamRoute,
  streamRoutesOf,
} from './services/index.ts';
import type { MemberSettings } from './settings.ts';
import { systemPrng } from './system.ts';

/** How often a compaction that has to wait looks whether it may go on. */
const PAUSED_COMPACTION_MS = 250;

/** What a running member needs from its object. */
export interface RuntimeHost extends NodeHost {
  readonly links: Links & NodeHost['links'];
  setTimer(callback: () => void, ms: number): void;
}

/**
 * A member that takes part: the node, the leases that it counts while it leads, and the services on
 * top of them.
 */
export class Runtime implements ServiceHost {
  readonly node: Node;
  readonly lessor: Lessor;
  readonly settings: MemberSettings;
  readonly identity: ClusterIdentity;
  readonly routes: ReadonlyMap<string, Route>;
  readonly streamRoutes: ReadonlyMap<string, StreamRoute>;
  readonly #host: RuntimeHost;
  readonly #clusterNumber: bigint;
  readonly #memberNumber: bigint;
  #softStateWaiters: (() => void)[] = [];
  #published = false;
  #compacting: Promise<void> | null = null;

  constructor(
    settings: MemberSettings,
    identity: ClusterIdentity,
    host: RuntimeHost,
    observe: { applied(result: ApplyResult): void; softState(state: SoftState): void },
  ) {
    this.settings = settings;
    this.identity = identity;
    this.#host = host;
    this.#clusterNumber = numberOfId(identity.clusterId);
    this.#memberNumber = numberOfId(identity.memberId);
    const prng = systemPrng();
    this.lessor = new Lessor({
      machine: () => this.machine,
      nowMs: () => host.nowMs(),
      prng,
      electionTimeoutMs: settings.electionTimeoutMs,
      setTimer: (callback, ms) => host.setTimer(callback, ms),
      revoke: (ID) => this.#revokeExpired(ID),
    });
    this.node = new Node(
      {
        memberId: identity.memberId,
        initialConfState: {
          voters: identity.members.map(({ id }) => id).sort(),
          votersOutgoing: [],
          learners: [],
          learnersNext: [],
          autoLeave: false,
        },
        heartbeatIntervalMs: settings.heartbeatIntervalMs,
        electionTimeoutMs: settings.electionTimeoutMs,
        quiesceAfterMs: settings.quiesceAfterMs,
        snapshotCount: settings.snapshotCount,
        snapshotCatchUpEntries: settings.snapshotCatchUpEntries,
        prng,
        onApplied: (result) => {
          this.lessor.applied(result);
          if (result.command.request.case === 'compaction' && !result.error) void this.compacted();
          observe.applied(result);
        },
        onSoftState: (state) => {
          this.#softStateChanged(state);
          observe.softState(state);
        },
      },
      host,
    );
    this.routes = routesOf(this);
    this.streamRoutes = streamRoutesOf(this);
    this.node.start();
    void this.compacted();
  }

  get machine(): StateMachine {
    return this.node.machine;
  }

  /** It leads and is not asleep, or counts the time of leases. */
  get isNeeded(): boolean {
    if (!this.lessor.leading) return false;
    return !this.node.status.raft.quiescent || this.lessor.leaseCount > 0;
  }

  get leaderName(): string | null {
    const { leader } = this.node.soft;
    return this.identity.members.find(({ id }) => id === leader)?.name ?? null;
  }

  async propose(request: Command['request'], context: CallContext): Promise<ApplyResult> {
    this.#checkLeader(context);
    const { value } = request;
    if (value && marshalledSize(value) > this.settings.requestBytesMax) {
      throw EtcdError.of('requestTooLarge');
    }
    return new Promise((resolve, reject) => {
      this.node.propose(request, this.#timeoutMs(context), ({ result, error }) => {
        const refused = error ?? result?.error;
        if (refused) reject(this.#timedOut(context, refused));
        else resolve(must(result, 'neither result nor error'));
      });
    });
  }

  async linearizable(context: CallContext): Promise<void> {
    this.#checkLeader(context);
    return new Promise((resolve, reject) => {
      this.node.barrier(this.#timeoutMs(context), (error) => {
        if (error) reject(this.#timedOut(context, error));
        else resolve();
      });
    });
  }

  /** Works off a scheduled compaction, a bounded slice at a time, other work in between. */
  compacted(): Promise<void> {
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = null;
    });
    return this.#compacting;
  }

  async transferLeadership(target: MemberId): Promise<void> {
    if (target === this.identity.memberId) return;
    const deadlineMs = this.#host.nowMs() + requestTimeoutMs(this.settings.electionTimeoutMs);
    this.node.transferLeadership(target);
    while (this.node.soft.leader !== target) {
      if (this.#host.nowMs() >= deadlineMs) throw EtcdError.of('timeout');
      await this.#softStateChange();
    }
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

  async askLeader<O extends DescMessage>(
    method: DescMethod & { output: O },
    request: MessageShape<DescMessage>,
    context: CallContext,
  ): Promise<MessageShape<O>> {
    const { leader } = this.node.soft;
    if (leader === null || leader === this.identity.memberId) throw EtcdError.of('noLeader');
    const bytes = toBinary(method.input, request);
    const body: FrameBody = {
      kind: 'call',
      path: `${method.parent.typeName}/${method.name}`,
      request: bytes,
    };
    const reply = await this.#host.links.exchange(leader, body).catch((): FrameReply => {
      throw EtcdError.of(
        context.timeoutMs === null ? 'timeoutDueToConnectionLost' : 'deadlineExceeded',
      );
    });
    // It has just been restarted, and does not lead any more.
    if (reply.call === null) throw EtcdError.of('leaderChanged');
    const result = reply.call;
    if ('code' in result) throw new EtcdError(codeOf(result.code), result.message);
    const response = fromBinary(method.output, result.response);
    // The answer speaks for this member: its header names who was asked.
    const header = this.header(this.machine.revision);
    return Object.assign(response, { header });
  }

  /** A call of another member, which asks because this one leads. */
  async answerCall(frame: Frame & { body: { kind: 'call' } }): Promise<FrameReply['call']> {
    const { path, request } = frame.body;
    const route = this.routes.get(path);
    try {
      if (!route) throw EtcdError.of('internal');
      if (!this.lessor.leading) throw EtcdError.of('leaderChanged');
      const context: CallContext = { token: null, timeoutMs: null, requireLeader: false };
      const message = fromBinary(route.method.input, request);
      const response = await route.serve(message as never, context);
      return { response: toBinary(route.method.output, response) };
    } catch (error) {
      const { code, message } = error instanceof EtcdError ? error : EtcdError.of('internal');
      return { code, message };
    }
  }

  #checkLeader({ requireLeader }: CallContext): void {
    if (requireLeader && this.node.soft.leader === null) throw EtcdError.of('noLeader');
  }

  /** The server's own deadline, or the client's when that is earlier. */
  #timeoutMs({ timeoutMs }: CallContext): number {
    const own = requestTimeoutMs(this.settings.electionTimeoutMs);
    return timeoutMs === null ? own : Math.max(0, Math.min(own, timeoutMs));
  }

  /** A client whose own deadline passed is told so in gRPC's words. */
  #timedOut({ timeoutMs }: CallContext, error: EtcdError): EtcdError {
    const own = requestTimeoutMs(this.settings.electionTimeoutMs);
    const late = error.message.startsWith('etcdserver: request timed out');
    return late && timeoutMs !== null && timeoutMs < own ? EtcdError.of('deadlineExceeded') : error;
  }

  async #compact(): Promise<void> {
    while (this.machine.compactionPending) {
      // A snapshot that is on its way to a peer needs what would be removed.
      const isMore = this.node.guard(() => this.machine.compactSlice());
      if (isMore === null || !this.machine.compactionPending) return;
      const pauseMs = isMore ? 1 : PAUSED_COMPACTION_MS;
      await new Promise<void>((resolve) => this.#host.setTimer(resolve, pauseMs));
    }
  }

  #revokeExpired(ID: bigint): void {
    const request: Command['request'] = {
      case: 'leaseRevoke',
      value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID },
    };
    // A leader that was paused for longer than the TTL must not end leases that its successor
    // renews.
    const { term } = this.node.soft;
    this.node.propose(request, requestTimeoutMs(this.settings.electionTimeoutMs), () => {}, term);
  }

  #softStateChanged(state: SoftState): void {
    if (state.role === 'leader' && !this.lessor.leading) this.lessor.promote();
    if (state.role !== 'leader' && this.lessor.leading) this.lessor.demote();
    if (state.leader !== null) this.#publish();
    const waiters = this.#softStateWaiters;
    this.#softStateWaiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves at the next change of role, leader or term, or after a heartbeat. */
  #softStateChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#softStateWaiters.push(resolve);
      this.#host.setTimer(resolve, this.settings.heartbeatIntervalMs);
    });
  }

  /** Tells the cluster this member's name and where clients reach it, unless it knows. */
  #publish(): void {
    if (this.#published) return;
    const { memberId, members } = this.identity;
    const { name, clientUrls } = this.settings;
    const peerUrls = members.filter(({ id }) => id === memberId).map(({ url }) => url);
    const known = this.machine.members().find(({ id }) => id === numberOfId(memberId));
    this.#published = true;
    const same = (a: readonly string[], b: readonly string[]) => a.join() === b.join();
    if (
      known?.name === name &&
      same(known.clientUrls, clientUrls) &&
      same(known.peerUrls, peerUrls)
    ) {
      return;
    }
    const request: Command['request'] = {
      case: 'memberPublish',
      value: {
        $typeName: 'edgetcd.MemberPublish',
        memberId: numberOfId(memberId),
        name,
        clientUrls: [...clientUrls],
        peerUrls,
      },
    };
    this.node.propose(request, requestTimeoutMs(this.settings.electionTimeoutMs), ({ error }) => {
      if (error) this.#published = false;
    });
  }
}

/** Routes by gateway path, for clients' calls. */
export function routeOf(runtime: Runtime, path: string): Route | null {
  const method = methodOf(path);
  return method ? (runtime.routes.get(`${method.service}/${method.name}`) ?? null) : null;
}

/** A later release may know codes that this one does not. */
function codeOf(code: number): Code {
  return Object.values(Code).find((known) => known === code) ?? Code.internal;
}
