import type { CallContext, CallReply, PlainReply } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { encodeError, messageTooLarge } from '../api/error-body.ts';
import { decodeJson, encodeJson } from '../api/json.ts';
import { methodOf } from '../api/methods.ts';
import { marshalledSize } from '../api/size.ts';
import { limits } from '../config.ts';
import { messageOf } from '../lib/error.ts';
import type { MemberId, Message } from '../raft/message.ts';
import { TABLES } from '../state/store.ts';
import { SqlDisk } from '../storage/disk.ts';
import { Sql, type SqlBackend } from '../storage/sql.ts';
import {
  decodeFrame,
  encodeReply,
  type Frame,
  type FrameReply,
  type PeerIdentity,
} from '../transport/frame.ts';
import { Links } from '../transport/links.ts';
import {
  type Fetcher,
  type LinkLimits,
  type PeerLink,
  stubLink,
  urlLink,
} from '../transport/peer.ts';
import { type ClusterIdentity, clusterIdentity } from './identity.ts';
import { inspect } from './inspection.ts';
import { join } from './joining.ts';
import { logger } from './logger.ts';
import { MemberMeter } from './meter.ts';
import { KnownPeers } from './peers.ts';
import { Runtime, routeOf } from './runtime.ts';
import { type MemberEnv, type MemberSettings, memberSettings } from './settings.ts';
import { drawDatabaseId } from './system.ts';
import { Timers } from './timers.ts';

export interface ServerEnv extends MemberEnv {
  /** The namespace of members: the way to those of the same deployment. */
  readonly MEMBER: { getByName(name: string): Fetcher };
}

/** Whether the member takes part, and if not, why, in words for its operator. */
type State =
  | { readonly kind: 'starting'; readonly reason: string }
  | { readonly kind: 'running'; readonly runtime: Runtime }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * A member in its object: opens the database, introduces the member to its peers, and from then on
 * lets clients' calls and peers' messages in. The one place where storage, sockets and timers meet.
 */
export class Server {
  readonly #ctx: DurableObjectState;
  readonly #env: ServerEnv;
  readonly #nowMs: () => number;
  readonly #timers: Timers;
  readonly #sql: Sql;
  readonly meter: MemberMeter;
  #state: State = { kind: 'starting', reason: 'the member is starting' };
  #self: PeerIdentity | null = null;
  #peers: KnownPeers | null = null;
  /** The watchdog's alarm is set. */
  #watched = false;

  constructor(ctx: DurableObjectState, env: ServerEnv, nowMs: () => number) {
    this.#ctx = ctx;
    this.#env = env;
    this.#nowMs = nowMs;
    this.#timers = new Timers(nowMs);
    this.#sql = new Sql(ctx.storage.sql as unknown as SqlBackend);
    this.meter = new MemberMeter(this.#sql, nowMs);
  }

  /** Reads settings and rows. What is wrong with them is told to whoever asks, not thrown. */
  async open(): Promise<void> {
    try {
      const settings = memberSettings(this.#ctx.id.name ?? '', this.#env);
      const identity = await clusterIdentity(settings);
      const disk = new SqlDisk(
        this.#sql,
        {
          transactionSync: (body) => this.#ctx.storage.transactionSync(body),
          sync: () => this.#ctx.storage.sync(),
        },
        TABLES,
      );
      this.#start(settings, identity, disk);
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  /** The watchdog's alarm rang: it is set again while the member must not be taken for idle. */
  async alarm(): Promise<void> {
    this.#watched = false;
    if (this.#state.kind === 'running' && this.#state.runtime.isNeeded) await this.#watch();
  }

  /**
   * One unary method of a client. Never throws: an exception would lose its meaning between
   * objects.
   */
  async call(path: string, body: string, context: CallContext): Promise<CallReply> {
    this.meter.metrics.edge.calls.inc();
    const state = this.#state;
    if (state.kind !== 'running') return this.#unavailable(state.reason);
    const { runtime } = state;
    // A leader that slept wakes with its clients.
    if (runtime.lessor.leading) void this.#watch();
    const leader = runtime.leaderName;
    this.meter.started(path);
    try {
      const method = methodOf(path);
      const route = routeOf(runtime, path);
      if (!method || !route) throw new EtcdError(Code.unimplemented, `${path} is not served yet`);
      const request = decodeJson(method.input, body);
      checkSize(request, body);
      const response = await route.serve(request as never, context);
      const json = encodeJson(method.output, response);
      if (json.length > limits.replyCharsMax) throw replyTooLarge(json.length);
      this.meter.handled(path, Code.ok);
      return { status: 200, body: json, leader, retry: false };
    } catch (error) {
      const known = error instanceof EtcdError ? error : this.#unexpected(path, error);
      this.meter.handled(path, known.code);
      return { ...encodeError(known), leader: runtime.leaderName, retry: false };
    }
  }

  async inspect(path: string, query: string): Promise<PlainReply> {
    this.meter.metrics.edge.inspections.inc();
    const state = this.#state;
    const runtime = state.kind === 'running' ? state.runtime : null;
    return inspect(path, query, runtime, state.kind === 'running' ? '' : state.reason, this.meter);
  }

  /** A frame of a peer, and the frame that answers it. */
  async raft(bytes: Uint8Array): Promise<Uint8Array> {
    this.meter.metrics.edge.peerRequests.inc();
    // The platform looks when storage is touched whether this instance is still the member's: one
    // that was replaced ends here, instead of vouching from memory for a leader that was deposed.
    // (Without an identity there is no database yet, and the reply only says why.)
    if (this.#self !== null) this.#sql.run('SELECT value FROM meta WHERE name = ?', 'epoch');
    const reply = await this.#receive(bytes);
    return encodeReply(reply);
  }

  #start(settings: MemberSettings, identity: ClusterIdentity, disk: SqlDisk): void {
    const { meta } = disk;
    let databaseId = meta.text('databaseId');
    const fresh = meta.number('joined') === null;
    if (databaseId === null) {
      databaseId = drawDatabaseId();
      meta.set('databaseId', databaseId);
    }
    const { clusterId, memberId } = identity;
    const self: PeerIdentity = { clusterId, memberId, databaseId };
    this.#self = self;
    this.#peers = new KnownPeers(meta, identity);
    const log = logger(settings.logLevel);
    const links = this.#links(settings, identity, self, log);
    const run = () => this.#run(settings, identity, disk, links, log);
    if (!fresh) return run();
    const report = {
      waitingFor: (ids: readonly MemberId[]) => {
        const names = identity.members.filter(({ id }) => ids.includes(id)).map(({ name }) => name);
        const reason = `waiting for ${names.join(', ')}`;
        this.#state = { kind: 'starting', reason };
      },
    };
    const introduce = async () => {
      await this.#ctx.storage.sync(); // The database id is durable before anyone is told of it.
      return join(links, (ms) => this.#timers.sleep(ms), report);
    };
    void introduce()
      .then((refusal) => {
        if (refusal !== null) return this.#refuse(refusal);
        meta.set('joined', 1);
        run();
      })
      .catch((error: unknown) => this.#refuse(messageOf(error)));
  }

  #run(
    settings: MemberSettings,
    identity: ClusterIdentity,
    disk: SqlDisk,
    links: Links,
    log: ReturnType<typeof logger>,
  ): void {
    let runtime: Runtime | null = null;
    const host = {
      disk: this.meter.timed(disk),
      links,
      nowMs: this.#nowMs,
      wallClockMs: () => Date.now(),
      setAlarm: (atMs: number | null) => this.#timers.set(atMs, () => runtime?.node.tick()),
      setTimer: (callback: () => void, ms: number) => this.#timers.after(callback, ms),
      soon: (callback: () => void) => queueMicrotask(callback),
      defer: (callback: () => void) => this.#timers.defer(callback),
      log,
      fatal: (error: Error) => this.#stop(error),
    };
    runtime = new Runtime(settings, identity, host, {
      applied: (result) => this.meter.applied(result),
      softState: (soft) => {
        this.meter.softState(soft);
        log('info', `${soft.role} in term ${soft.term}, leader ${soft.leader ?? 'unknown'}`);
        if (soft.role === 'leader') void this.#watch();
      },
    });
    this.#state = { kind: 'running', runtime };
  }

  /**
   * With a compatibility date before 2026-10-01 an object that only has timers and outgoing calls,
   * as a leader does, is evicted after a minute or two. An alarm is an event, and keeps it.
   */
  async #watch(): Promise<void> {
    if (this.#watched) return;
    this.#watched = true;
    if ((await this.#ctx.storage.getAlarm()) !== null) return;
    await this.#ctx.storage.setAlarm(Date.now() + limits.watchdogMs);
  }

  #links(
    settings: MemberSettings,
    identity: ClusterIdentity,
    self: PeerIdentity,
    log: ReturnType<typeof logger>,
  ): Links {
    const links = new Map<MemberId, PeerLink>();
    const bounds: LinkLimits = {
      timeoutMs: settings.electionTimeoutMs,
      idleMs: limits.peerSocketIdleMs,
      after: (callback, ms) => this.#timers.after(callback, ms),
    };
    for (const { id, name, url } of identity.members) {
      if (id === identity.memberId) continue;
      const stub = () => this.#env.MEMBER.getByName(`${settings.cluster}/${name}`);
      const link = url.startsWith('do://')
        ? stubLink(stub, bounds)
        : urlLink(
            { fetch: (target, init) => fetch(target, init) },
            url,
            settings.peerSecret,
            bounds,
          );
      links.set(id, link);
    }
    return new Links(
      self,
      links,
      {
        received: (messages) => this.#node?.receiveReplies(messages),
        after: bounds.after,
        unreachable: (peer, withProposals) => this.#node?.unreachable(peer, withProposals),
        snapshotStatus: (to, { transferId, meta }, ok) => {
          if (ok) log('info', `a snapshot of index ${meta.index} has reached ${to}`);
          this.#node?.snapshotStatus(to, transferId, meta.index, meta.term, ok);
        },
        exchanged: (peer, sent, got, ms) => this.meter.exchanged(peer, sent, got, ms),
        failed: (peer, reason) => {
          this.meter.exchangeFailed(peer);
          log('debug', `peer ${peer}: ${reason}`);
        },
        check: (sender) => this.#peers?.check(sender) ?? null,
      },
      this.#nowMs,
    );
  }

  get #node() {
    return this.#state.kind === 'running' ? this.#state.runtime.node : null;
  }

  async #receive(bytes: Uint8Array): Promise<FrameReply> {
    const sender = this.#self;
    const nobody = { clusterId: '', memberId: '', databaseId: '' };
    const answer = (
      status: FrameReply['status'],
      reason: string,
      more: Partial<FrameReply> = {},
    ): FrameReply => ({
      sender: sender ?? nobody,
      status,
      reason,
      messages: [],
      call: null,
      ...more,
    });
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      return answer('failed', messageOf(error));
    }
    const mismatch = this.#peers?.check(frame.sender) ?? null;
    if (mismatch !== null) return answer('refused', mismatch);
    if (frame.body.kind === 'hello')
      return this.#peers ? answer('ok', '') : answer('failed', 'starting');
    const state = this.#state;
    if (state.kind !== 'running') return answer('starting', state.reason);
    const { runtime } = state;
    if (frame.body.kind === 'call') {
      const call = await runtime.answerCall({ ...frame, body: frame.body });
      return answer('ok', '', { call });
    }
    if (frame.body.kind === 'chunk') {
      const { transferId, sequence, chunk } = frame.body;
      const taken = runtime.node.receiveChunk(transferId, sequence, chunk);
      return taken
        ? answer('ok', '')
        : answer('refused', 'the chunk does not continue what is staged');
    }
    const { messages } = frame.body;
    const { memberId } = frame.sender;
    const isOwn = (message: Message) =>
      message.from === memberId && message.to === sender?.memberId;
    if (!messages.every(isOwn)) return answer('failed', 'messages of or for another member');
    return new Promise((resolve) => {
      runtime.node.receive(messages, (mine) => resolve(answer('ok', '', { messages: mine })));
    });
  }

  #unavailable(reason: string): CallReply {
    const error = new EtcdError(Code.unavailable, `etcdserver: ${reason}`);
    return { ...encodeError(error), leader: null, retry: true };
  }

  /** A defect: told to the log with its place, to the client without. */
  #unexpected(path: string, error: unknown): EtcdError {
    console.error(`${path}:`, error instanceof Error ? error.stack : error);
    return EtcdError.of('internal');
  }

  #refuse(reason: string): void {
    this.#state = { kind: 'refused', reason };
    console.error(reason);
  }

  /** A broken invariant or a failed write: the object ends, and starts again from its rows. */
  #stop(error: Error): void {
    console.error(`stopping: ${error.stack ?? error.message}`);
    this.#state = { kind: 'starting', reason: `stopped: ${error.message}` };
    this.#ctx.abort(error.message);
  }
}

/** Told before the platform refuses to carry the answer. */
function replyTooLarge(chars: number): EtcdError {
  return new EtcdError(
    Code.resourceExhausted,
    `etcdserver: the answer is too large (${chars} vs. ${limits.replyCharsMax}): use a limit`,
  );
}

/**
 * gRPC's limit on a message. Its JSON is longer than the message itself, so a short one needs no
 * look.
 */
function checkSize(request: ReturnType<typeof decodeJson>, body: string): void {
  if (body.length <= limits.messageBytesMax) return;
  const size = marshalledSize(request);
  if (size > limits.messageBytesMax) throw messageTooLarge(size);
}
