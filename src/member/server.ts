import type { CallContext, CallReply, PlainReply } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { encodeError } from '../api/error-body.ts';
import { decodeJson, encodeJson } from '../api/json.ts';
import { methodOf } from '../api/methods.ts';
import type { StreamCall } from '../api/stream-call.ts';
import type { BasicCredentials, V2Call, V2Reply } from '../api/v2/call.ts';
import { limits } from '../config.ts';
import { messageOf } from '../lib/error.ts';
import { microtask } from '../lib/microtask.ts';
import { TABLES } from '../state/store.ts';
import { SqlDisk } from '../storage/disk.ts';
import type { MetaTable } from '../storage/meta.ts';
import { Sql, type SqlBackend } from '../storage/sql.ts';
import { encodeReply } from '../transport/frame.ts';
import { openSignedTokens, type SignedTokens } from './auth/signed_tokens.ts';
import { waysOutside } from './bootstrap/outside.ts';
import { checkReplySize, checkRequestSize } from './bounds.ts';
import { type Entered, Entrance, type EntranceHost } from './entrance.ts';
import { initialMismatch } from './initial_check.ts';
import { inspect } from './inspection.ts';
import { logger } from './logger.ts';
import { MemberMeter } from './meter.ts';
import { metered } from './metered_disk.ts';
import { rememberedName, rememberName } from './object_name.ts';
import type { Participation } from './participation.ts';
import { answerFrame, frameOf } from './peer_service.ts';
import { REMOVED } from './peers.ts';
import { Restoration } from './restoration.ts';
import { checkServed, routeOf } from './routing.ts';
import { Runtime } from './runtime.ts';
import type { ServerEnv } from './server_env.ts';
import { type MemberSettings, memberSettings } from './settings.ts';
import { ClientStreams } from './streams/client_streams.ts';
import { streamsHost } from './streams/host.ts';
import { systemPrng } from './system.ts';
import { Timers } from './timers.ts';
import { Turnstile } from './turnstile.ts';
import { unavailable } from './v2/reply.ts';

const RANGE = '/v3/kv/range';

/**
 * A member in its object: opens the database, introduces the member to its peers, and from then on
 * lets clients' calls and peers' messages in. The one place where storage, sockets and timers meet.
 */
export class Server {
  readonly #ctx: DurableObjectState;
  readonly #env: ServerEnv;
  readonly nowMs: () => number;
  readonly #timers: Timers;
  readonly #sql: Sql;
  readonly meter: MemberMeter;
  readonly streams: ClientStreams;
  #state: Participation = { kind: 'starting', reason: 'the member is starting' };
  #entrance: Entrance | null = null;
  #signedTokens: SignedTokens | null = null;
  #restoration: Restoration | null = null;
  readonly #turnstile: Turnstile;
  /** Resolves when what was written so far is durable. */
  readonly #durable: () => Promise<void>;
  /** The watchdog's alarm is set. */
  #watched = false;

  constructor(ctx: DurableObjectState, env: ServerEnv, nowMs: () => number) {
    this.#ctx = ctx;
    this.#env = env;
    this.#durable = () => ctx.storage.sync();
    this.nowMs = nowMs;
    this.#timers = new Timers(nowMs);
    this.#turnstile = new Turnstile((callback) => this.#timers.defer(callback));
    this.#sql = new Sql(ctx.storage.sql as unknown as SqlBackend);
    this.meter = new MemberMeter(this.#sql, nowMs);
    this.streams = new ClientStreams(ctx, () => this.#checkCurrent(), nowMs);
  }

  /** Reads settings and rows. What is wrong with them is told to whoever asks, not thrown. */
  async open(): Promise<void> {
    try {
      const name = this.#ctx.id.name ?? rememberedName(this.#sql);
      const settings = memberSettings(name, this.#env);
      this.#signedTokens = await openSignedTokens(settings.auth.tokens);
      const disk = new SqlDisk(
        this.#sql,
        {
          transactionSync: (body) => this.#ctx.storage.transactionSync(body),
          sync: () => this.#ctx.storage.sync(),
        },
        TABLES,
      );
      rememberName(disk.meta, name);
      if (settings.restore) {
        const { storage } = this.#ctx;
        this.#restoration = new Restoration(disk, (body) => storage.transactionSync(body));
        this.#state = { kind: 'starting', reason: 'the member is starting: it is being restored' };
        return;
      }
      await this.#start(settings, disk);
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  /** The watchdog's alarm rang: it is set again while the member must not be taken for idle. */
  async alarm(): Promise<void> {
    this.#watched = false;
    this.meter.metrics.edge.alarms.inc();
    if (this.#state.kind === 'running' && this.#state.runtime.isNeeded) await this.#watch();
  }

  /**
   * One unary method of a client. Never throws: an exception would lose its meaning between
   * objects.
   */
  async call(
    path: string,
    body: string,
    context: CallContext,
    signal?: AbortSignal,
  ): Promise<CallReply> {
    this.meter.metrics.edge.calls.inc();
    const state = this.#state;
    if (state.kind !== 'running') return this.#unavailable(state.reason);
    const { runtime } = state;
    // A leader that slept wakes with its clients.
    if (runtime.lessor.leading) void this.#watch();
    const leader = runtime.leaderName;
    const startMs = this.meter.started(path);
    this.meter.received(body.length);
    // Whatever else may be frequent waits for other members or the disk by itself.
    const turnstile = path === RANGE ? this.#turnstile : null;
    try {
      const event = turnstile?.enter();
      if (event) await event;
      const method = methodOf(path);
      const route = routeOf(runtime, path);
      if (!method || !route) throw new EtcdError(Code.unimplemented, `${path} is not served yet`);
      const request = decodeJson(method.input, body);
      checkRequestSize(request, body);
      checkServed(runtime, path, request);
      const { access } = runtime.authentication;
      const admitted = access.admit(method.service, method.name, context);
      // A promise only when a token is new here: otherwise not a turn of the event loop is lost.
      const own = admitted instanceof Promise ? await admitted : admitted;
      const response = await route.serve(request as never, own, signal);
      const json = encodeJson(method.output, response);
      checkReplySize(json);
      this.meter.handled(path, Code.ok, startMs);
      this.meter.sent(json.length);
      const { hints } = runtime.belonging;
      const reply = { status: 200, body: json, leader, retry: false };
      return hints === null ? reply : { ...reply, members: hints };
    } catch (error) {
      const known = error instanceof EtcdError ? error : this.unexpected(path, error);
      this.meter.handled(path, known.code, startMs);
      return { ...encodeError(known), leader: runtime.leaderName, retry: false };
    } finally {
      turnstile?.leave();
    }
  }

  /** A request of the v2 API, but for those that wait. Never throws, as {@link call}. */
  async v2(call: V2Call, credentials: BasicCredentials): Promise<V2Reply> {
    this.meter.metrics.edge.calls.inc();
    const state = this.#state;
    if (state.kind !== 'running') return unavailable(state.reason);
    const { runtime } = state;
    if (runtime.lessor.leading) void this.#watch();
    try {
      const answer = await runtime.v2.call(call, credentials);
      this.meter.sent(answer.body.length);
      return { ...answer, leader: runtime.leaderName, retry: false };
    } catch (error) {
      return unavailable(this.unexpected(`v2 ${call.kind}`, error).message, false);
    }
  }

  /** See member.ts. @returns null, or why the chunk is not taken */
  restore(chunk: Uint8Array | null): string | null {
    return this.#restoration ? this.#restoration.take(chunk) : 'the member is not to be restored';
  }

  /** What takes a client longer than one call. */
  stream(request: Request, call: StreamCall): Promise<Response> {
    const state = this.#state;
    if (state.kind === 'running' && state.runtime.lessor.leading) void this.#watch();
    return this.streams.fetch(request, call, state.kind === 'running' ? '' : state.reason);
  }

  /** A message on a client's WebSocket. */
  received(socket: WebSocket, message: string | ArrayBuffer): void {
    const state = this.#state;
    if (state.kind === 'running' && state.runtime.lessor.leading) void this.#watch();
    this.streams.received(socket, message);
  }

  async inspect(path: string, query: string): Promise<PlainReply> {
    this.meter.metrics.edge.inspections.inc();
    const state = this.#state;
    const runtime = state.kind === 'running' ? state.runtime : null;
    return inspect(path, query, runtime, state.kind === 'running' ? '' : state.reason, this.meter);
  }

  /** A frame of a peer, and the frame that answers it. */
  async raft(bytes: Uint8Array, way: 'request' | 'socket' = 'request'): Promise<Uint8Array> {
    const { peerFrames, peerRequests } = this.meter.metrics.edge;
    (way === 'socket' ? peerFrames : peerRequests).inc();
    const frame = frameOf(bytes);
    // What is answered from memory, not from a turn, must not be answered by one that was replaced.
    if (typeof frame === 'string' || frame.body.kind !== 'messages') this.#checkCurrent();
    const state = this.#state;
    const reply = await answerFrame(frame, {
      self: this.#entrance?.self ?? null,
      peering: this.#entrance?.peering ?? null,
      runtime: 'runtime' in state ? state.runtime : null,
      reason: 'reason' in state ? state.reason : '',
      durable: this.#durable,
    });
    const answer = encodeReply(reply);
    if (typeof frame !== 'string') {
      const taken = reply.status === 'ok' || reply.status === 'starting';
      this.meter.answeredPeer(frame.sender.memberId, bytes.length, answer.length, taken);
    }
    return answer;
  }

  /**
   * The platform looks when storage is touched whether this instance is still the member's: one
   * that was replaced ends here. (Without an identity there is no database yet, and all that is
   * said is why.)
   */
  #checkCurrent(): void {
    if (this.#entrance !== null) this.#sql.row('SELECT value FROM meta WHERE name = ?', 'epoch');
  }

  async #start(settings: MemberSettings, disk: SqlDisk): Promise<void> {
    const { meta } = disk;
    if (meta.number('removed') !== null) return this.#refuse(REMOVED);
    const entrance = new Entrance(this.#entranceHost(settings, meta));
    this.#entrance = entrance;
    const entered = await entrance.reenter();
    if (entered && !settings.initialCorruptCheck) return this.#run(settings, entered, disk);
    // Peers are spoken to from outside of the start: they may be asking this member as well.
    void (entered ? this.#compared(settings, entered, disk) : entrance.enter())
      .then((admitted) => admitted && this.#run(settings, admitted, disk))
      .catch((error: unknown) => this.#refuse(messageOf(error)));
  }

  /** The same, unless peers have other keys: then null, and the member is refused. */
  async #compared(
    settings: MemberSettings,
    entered: Entered,
    disk: SqlDisk,
  ): Promise<Entered | null> {
    this.#state = { kind: 'starting', reason: 'the member is starting: it compares its data' };
    const mismatch = await initialMismatch({
      memberId: entered.identity.memberId,
      store: disk.state,
      links: entered.peering.links,
      sleep: (ms) => this.#timers.sleep(ms),
      log: logger(settings.logLevel),
    });
    if (mismatch === null) return entered;
    this.#refuse(mismatch);
    return null;
  }

  #entranceHost(settings: MemberSettings, meta: MetaTable): EntranceHost {
    const log = logger(settings.logLevel);
    for (const note of settings.notes) log('warn', note);
    return {
      settings,
      meta,
      namespace: this.#env.MEMBER,
      timers: this.#timers,
      outside: waysOutside(this.#env.RESOLVER),
      nowMs: this.nowMs,
      durable: this.#durable,
      waiting: (reason) => {
        if (this.#state.kind === 'starting') this.#state = { kind: 'starting', reason };
      },
      refused: (reason) => this.#refuse(reason),
      presented: (identity) => this.meter.configure(settings, identity, log),
      events: {
        received: (messages) => this.#node?.receiveReplies(messages),
        unreachable: (peer, withProposals) => this.#node?.unreachable(peer, withProposals),
        snapshotStatus: (to, { transferId, meta: { index, term } }, ok) => {
          if (ok) log('info', `a snapshot of index ${index} has reached ${to}`);
          this.#node?.snapshotStatus(to, transferId, index, term, ok);
        },
        exchanged: (peer, sent, got, ms) => this.meter.exchanged(peer, sent, got, ms),
        failed: (peer, reason) => {
          this.meter.exchangeFailed(peer);
          log('debug', `peer ${peer}: ${reason}`);
        },
        removed: () => this.#retire(meta),
      },
    };
  }

  #run(settings: MemberSettings, { identity, peering }: Entered, disk: SqlDisk): void {
    const log = logger(settings.logLevel);
    let runtime: Runtime | null = null;
    const host = {
      disk: metered(disk, this.meter.metrics.disk, this.meter.installing, this.nowMs),
      links: peering.links,
      peering,
      left: () => this.#leave(),
      nowMs: this.nowMs,
      wallClockMs: () => Date.now(),
      prng: systemPrng(),
      peerStats: this.meter.peerStats,
      signedTokens: this.#signedTokens,
      setAlarm: (atMs: number | null) =>
        this.#timers.set(atMs, () => {
          if (atMs !== null) this.meter.rang(atMs);
          runtime?.node.tick();
        }),
      setTimer: (callback: () => void, ms: number) => this.#timers.after(callback, ms),
      soon: microtask,
      defer: (callback: () => void) => this.#timers.defer(callback),
      log,
      fatal: (error: Error) => this.#stop(error),
    };
    runtime = new Runtime(settings, identity, host, {
      applied: (result) => this.meter.applied(result),
      turnApplied: (ms) => this.meter.turnApplied(ms),
      softState: (soft) => {
        this.meter.softState(soft);
        log('info', `${soft.role} in term ${soft.term}, leader ${soft.leader ?? 'unknown'}`);
        if (soft.role === 'leader') void this.#watch();
        this.streams.leaderChanged();
      },
    });
    this.#state = { kind: 'running', runtime };
    this.streams.start(streamsHost(runtime, this));
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

  /** It has applied that it was removed: clients are turned away. */
  #leave(): void {
    if (this.#state.kind !== 'running') return;
    const { runtime } = this.#state;
    this.#state = { kind: 'left', reason: REMOVED, runtime };
    console.error(REMOVED);
    this.streams.stop();
  }

  /** A peer says that it was removed: nobody needs it any more, nor after a restart. */
  #retire(meta: MetaTable): void {
    // One that was never admitted is told why, and may come back under another id.
    if (!('runtime' in this.#state)) return;
    const { runtime } = this.#state;
    this.#leave();
    meta.set('removed', 1);
    this.#state = { kind: 'refused', reason: REMOVED };
    runtime.node.stop();
  }

  get #node() {
    return 'runtime' in this.#state ? this.#state.runtime.node : null;
  }

  #unavailable(reason: string): CallReply {
    const error = new EtcdError(Code.unavailable, `etcdserver: ${reason}`);
    return { ...encodeError(error), leader: null, retry: true };
  }

  /** A defect: told to the log with its place, to the client without. */
  unexpected(path: string, error: unknown): EtcdError {
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
    this.streams.stop();
    this.#ctx.abort(error.message);
  }
}
