import { create } from '@bufbuild/protobuf';
import { ERRORS, type EtcdError } from '../../api/error.ts';
import { type Command, V2ChangeSchema, V2Method } from '../../api/gen/command_pb.ts';
import { marshalledSize } from '../../api/size.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import { V2Error } from '../../api/v2/error.ts';
import {
  encodeBareV2Event,
  encodeV2Event,
  isCreation,
  type V2Event,
  type V2Node,
} from '../../api/v2/event.ts';
import type { KeysRequest } from '../../api/v2/keys_request.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import type { ApplyResult } from '../../state/result.ts';
import { V2Accounts } from '../../state/v2/accounts.ts';
import { KEYS_ROOT } from '../../state/v2/path.ts';
import { Turnstile } from '../turnstile.ts';
import type { V2Host } from './host.ts';
import { clusterHeader, V2_CONTEXT, type V2Answer, v2Json } from './reply.ts';
import type { StoreStats } from './store_stats.ts';

const METHODS = { PUT: V2Method.PUT, POST: V2Method.POST, DELETE: V2Method.DELETE } as const;

/** What noValueOnSuccess is about. */
const VALUED: ReadonlySet<string> = new Set(['set', 'compareAndSwap', 'create', 'update']);

/** An answer, and the state that it was read from. */
export interface V2Read {
  readonly event: V2Event;
  readonly etcdIndex: number;
  readonly raftIndex: number;
}

/** Reads and changes of keys. Waiting is another matter, see waits.ts. */
export class V2Keys {
  readonly #host: V2Host;
  readonly #stats: StoreStats;
  readonly #turnstile: Turnstile;

  constructor(host: V2Host, stats: StoreStats) {
    this.#host = host;
    this.#stats = stats;
    this.#turnstile = new Turnstile((callback) => host.clock.defer(callback));
  }

  /** @param user who asks; empty: a guest. @throws EtcdError */
  async serve(request: KeysRequest, user: string): Promise<V2Answer> {
    const { method } = request;
    if (method === 'GET' || method === 'HEAD') return this.#read(request, user);
    const { event, index } = await this.change({ ...request, method }, user);
    const isBare = request.noValueOnSuccess && VALUED.has(event.action);
    return this.#answer(event, event.node.modifiedIndex, index, isBare);
  }

  /** What waits for nothing but itself must not keep others from being heard. */
  async #read(request: KeysRequest, user: string): Promise<V2Answer> {
    try {
      const turn = this.#turnstile.enter();
      if (turn) await turn;
      const { event, etcdIndex, raftIndex } = await this.get(request, user);
      return this.#answer(event, etcdIndex, raftIndex);
    } finally {
      this.#turnstile.leave();
    }
  }

  /** What is there, and as of which indices: clients wait from there on. @throws EtcdError */
  async get({ path, recursive, quorum }: KeysRequest, user: string): Promise<V2Read> {
    if (quorum) await this.#host.linearizable(V2_CONTEXT);
    const { machine, clock } = this.#host;
    checkReadable(machine.v2, user, path, recursive);
    try {
      const event = machine.v2.get(treePath(path), recursive, clock.wallClockMs());
      this.#stats.get(true);
      return { event, etcdIndex: machine.v2.index, raftIndex: machine.appliedIndex };
    } catch (error) {
      this.#stats.get(false);
      throw error;
    }
  }

  /** @throws EtcdError */
  async change(
    request: KeysRequest & { readonly method: keyof typeof METHODS },
    user: string,
  ): Promise<{ readonly event: V2Event; readonly index: number }> {
    const result = await this.#propose({ case: 'v2Change', value: this.#command(request, user) });
    return { event: result.response as V2Event, index: result.index };
  }

  #command(request: KeysRequest & { readonly method: keyof typeof METHODS }, user: string) {
    const { method, path, prevExist, ttlSeconds } = request;
    const isDeep = path.split('/').length > limits.v2PathDepthMax;
    if (isDeep || utf8(path).length > limits.v2PathBytesMax) throw tooLarge();
    const { value, dir, recursive, refresh, prevValue } = request;
    return create(V2ChangeSchema, {
      method: METHODS[method],
      path: treePath(path),
      ...{ value, dir, recursive, refresh, prevValue, user },
      prevIndex: BigInt(request.prevIndex),
      ...(prevExist === null ? {} : { prevExist }),
      expirationMs: BigInt(this.#expirationMs(ttlSeconds)),
    });
  }

  /** By this member's clock; the command carries it, so that it is the same everywhere. */
  #expirationMs(ttlSeconds: number | null): number {
    if (ttlSeconds === null || ttlSeconds > limits.v2TtlSecondsMax) return 0;
    return Math.max(1, this.#host.clock.wallClockMs() + ttlSeconds * 1000);
  }

  async #propose(request: Command['request']): Promise<ApplyResult> {
    const { settings, upkeep } = this.#host;
    const { value } = request;
    if (value && marshalledSize(value) > settings.requestBytesMax) throw tooLarge();
    if (!upkeep.admits(request)) return upkeep.refuse();
    return this.#host.proposeOwn(request, V2_CONTEXT);
  }

  #answer(event: V2Event, etcdIndex: number, raftIndex: number, isBare = false): V2Answer {
    const headers = {
      ...clusterHeader(this.#host.identity.clusterId),
      ...indexHeaders(etcdIndex, raftIndex, this.#host.node.soft.term),
    };
    const body = isBare ? encodeBareV2Event(event) : encodeV2Event(shownToClients(event));
    if (body.length > limits.replyCharsMax) throw tooLarge();
    return v2Json(isCreation(event) ? 201 : 200, headers, body);
  }
}

export function indexHeaders(etcdIndex: number, raftIndex: number, term: number) {
  return {
    'X-Etcd-Index': String(etcdIndex),
    'X-Raft-Index': String(raftIndex),
    'X-Raft-Term': String(term),
  };
}

/** @throws V2Error */
export function checkReadable(
  reader: ConstructorParameters<typeof V2Accounts>[0],
  user: string,
  key: string,
  recursive: boolean,
): void {
  const access = { key, isWrite: false, recursive };
  if (!new V2Accounts(reader).mayAccess(user, access)) throw insufficientCredentials();
}

/** Where a client's key is in the tree. */
export function treePath(path: string): string {
  return path === '/' ? KEYS_ROOT : KEYS_ROOT + path;
}

/** The event with keys as clients name them. */
export function shownToClients({ action, node, prevNode }: V2Event): V2Event {
  return { action, node: shown(node), prevNode: prevNode === null ? null : shown(prevNode) };
}

function shown(node: V2Node): V2Node {
  return { ...node, key: node.key.slice(KEYS_ROOT.length), nodes: node.nodes.map(shown) };
}

function tooLarge(): EtcdError {
  return new V2Error(300, ERRORS.requestTooLarge[1], 0);
}
