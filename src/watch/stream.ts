import { EtcdError } from '../api/error.ts';
import type { Event } from '../api/gen/kv_pb.ts';
import {
  WatchCreateRequest_FilterType as Filter,
  type ResponseHeader,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { isEmptyRange, keyRangeOf } from '../state/key_range.ts';
import { fragmentsOf } from './fragments.ts';
import type { Hub } from './hub.ts';
import { decodeWatch, encodeWatch, type SavedStream } from './saved.ts';
import type { Outlet, Watcher, WatchSpec } from './watcher.ts';

/** The client's side of a stream. */
export interface StreamPort {
  send(response: WatchResponse): void;
  /** Bytes that the client has not taken yet. */
  readonly bufferedBytes: number;
  /** Calls back once, in an event of its own, when few bytes are left. */
  drained(callback: () => void): void;
  /** What `save` would say has changed though nothing was sent. */
  changed(): void;
}

export interface StreamOptions {
  readonly hub: Hub;
  readonly port: StreamPort;
  /** Without a revision: the header of a response that is not about one. */
  header(revision?: number): ResponseHeader;
  /** The revision of this member's state. */
  revision(): number;
  /** Why the caller may not watch this range; null when it may. */
  refuse(key: Uint8Array, rangeEnd: Uint8Array): string | null;
  /** Why who watches this range may not go on; null when it may. */
  revoke(key: Uint8Array, rangeEnd: Uint8Array): string | null;
  /** Responses to a watch that asked for fragments stay below. */
  readonly frameBytesMax: number;
}

/** A watch of this stream, and what its client wants beyond events. */
export interface StreamWatch {
  readonly spec: WatchSpec;
  readonly watcher: Watcher;
  readonly progressNotify: boolean;
  readonly fragment: boolean;
  /** Something was sent since progress was last looked at. */
  active: boolean;
}

/** In a response that is about no watch, or about all of the stream. */
const NO_WATCH = -1n;
const KEY_ZERO = Uint8Array.of(0);
const RANGE_EMPTY = 'mvcc: watcher range is empty';
const ID_IN_USE = 'mvcc: duplicate watch ID provided on the WatchStream';

/**
 * One stream of etcd's Watch service: several watches, the requests about them in order, and the
 * responses.
 */
export class WatchStream implements Outlet {
  readonly #options: StreamOptions;
  readonly #watches = new Map<bigint, StreamWatch>();
  readonly #ids = new Map<Watcher, bigint>();
  /** The id to try next for a watch whose client chose none. */
  #nextId = 0n;
  /** Answers a request for progress, true when done. */
  readonly #answerProgress = (): boolean => this.#sendProgress();

  constructor(options: StreamOptions) {
    this.#options = options;
    options.hub.addOutlet(this);
  }

  /** Goes on where another instance of the member has left the stream. */
  static resume(saved: SavedStream, options: StreamOptions): WatchStream {
    const stream = new WatchStream(options);
    stream.#nextId = BigInt(saved.nextId);
    for (const watch of saved.watches) {
      const { id, spec, progressNotify, fragment } = decodeWatch(watch);
      stream.#open(id, spec, progressNotify, fragment);
    }
    return stream;
  }

  get size(): number {
    return this.#watches.size;
  }

  /** Some watch wants to hear of progress from time to time. */
  get wantsProgress(): boolean {
    for (const { progressNotify } of this.#watches.values()) if (progressNotify) return true;
    return false;
  }

  get bufferedBytes(): number {
    return this.#options.port.bufferedBytes;
  }

  drained(callback: () => void): void {
    this.#options.port.drained(callback);
  }

  receive({ requestUnion: request }: WatchRequest): void {
    if (request.case === 'createRequest') this.#create(request.value);
    if (request.case === 'cancelRequest') this.#cancel(request.value.watchId);
    if (request.case === 'progressRequest') this.#requestProgress();
  }

  /** The stream is over. */
  close(): void {
    const { hub } = this.#options;
    for (const { watcher } of this.#watches.values()) hub.remove(watcher);
    this.#watches.clear();
    this.#ids.clear();
    hub.forgetProgress(this.#answerProgress);
    hub.removeOutlet(this);
  }

  /**
   * Ends the watches that their caller may not have any more: rights were taken away after they
   * were created.
   */
  recheck(): void {
    for (const [id, { spec }] of [...this.#watches]) {
      const reason = this.#options.revoke(spec.key, spec.rangeEnd ?? new Uint8Array(0));
      if (reason === null) continue;
      this.#remove(id);
      this.#send({ watchId: id, canceled: true, cancelReason: reason });
    }
  }

  /** The time for notices of progress has come: to those that asked for it and heard nothing. */
  notifyProgress(): void {
    const { hub } = this.#options;
    if (!hub.hasRoom(this)) return;
    for (const [id, watch] of this.#watches) {
      if (!watch.progressNotify) continue;
      const idle = !watch.active;
      watch.active = false;
      if (idle && hub.hasProgress(watch.watcher)) this.#send({ watchId: id }, hub.revision);
    }
  }

  save(): SavedStream {
    const { hub } = this.#options;
    const watches = [...this.#watches].map(([id, watch]) =>
      encodeWatch(id, watch, hub.nextOf(watch.watcher)),
    );
    return { nextId: String(this.#nextId), watches };
  }

  events(watcher: Watcher, events: readonly Event[]): void {
    const watchId = must(this.#ids.get(watcher), 'a watcher of this stream');
    const watch = must(this.#watches.get(watchId), 'a watch of this stream');
    watch.active = true;
    const { frameBytesMax, hub } = this.#options;
    const fragments = watch.fragment ? fragmentsOf(events, frameBytesMax) : [[...events]];
    if (hub.bugs.has('watch-split-revision') && !watch.fragment && events.length > 1) {
      fragments.splice(0, 1, events.slice(0, 1), events.slice(1));
    }
    const revision = Math.max(hub.revision, Number(events.at(-1)?.kv?.modRevision ?? 0));
    fragments.forEach((part, i) => {
      const fragment = watch.fragment && i < fragments.length - 1;
      this.#send({ watchId, events: part, fragment }, revision);
    });
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    const watchId = must(this.#ids.get(watcher), 'a watcher of this stream');
    this.#remove(watchId);
    // Neither a revision nor a reason: clients know it by the compact revision.
    this.#send({ watchId, canceled: true, compactRevision: BigInt(compactRevision) }, 0);
  }

  compactionPassed(): void {
    if (this.#watches.size > 0) this.#options.port.changed();
  }

  #create(request: WatchCreateRequest): void {
    const { hub, refuse } = this.#options;
    // An empty key is the least that a key can be.
    const key = request.key.length === 0 ? KEY_ZERO : request.key;
    const { rangeEnd } = request;
    const refusal = refuse(key, rangeEnd) ?? this.#objection(request, key);
    if (refusal !== null) return this.#refuse(refusal);
    if (this.#watches.size >= limits.watchesPerStreamMax) return this.#refuse(tooMany());
    if (!hub.hasRoomFor(key.length + rangeEnd.length)) return this.#refuse(tooMany());
    const id = request.watchId === 0n ? this.#drawId() : request.watchId;
    const spec: WatchSpec = {
      key,
      rangeEnd,
      startRevision: Number(request.startRevision),
      prevKv: request.prevKv,
      noPut: request.filters.includes(Filter.NOPUT),
      noDelete: request.filters.includes(Filter.NODELETE),
    };
    this.#open(id, spec, request.progressNotify, request.fragment);
    this.#send({ watchId: id, created: true });
  }

  /** Why there can be no such watch, in etcd's words. */
  #objection({ rangeEnd, startRevision, watchId }: WatchCreateRequest, key: Uint8Array) {
    if (startRevision < 0n) return EtcdError.of('compacted').message;
    if (isEmptyRange(keyRangeOf(key, rangeEnd))) return RANGE_EMPTY;
    return this.#watches.has(watchId) && watchId !== 0n ? ID_IN_USE : null;
  }

  #refuse(cancelReason: string): void {
    this.#send({ watchId: NO_WATCH, created: true, canceled: true, cancelReason });
  }

  #drawId(): bigint {
    while (this.#watches.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #open(id: bigint, spec: WatchSpec, progressNotify: boolean, fragment: boolean): void {
    const watcher = this.#options.hub.add(spec, this);
    this.#watches.set(id, { spec, watcher, progressNotify, fragment, active: false });
    this.#ids.set(watcher, id);
  }

  #remove(id: bigint): void {
    const { watcher } = must(this.#watches.get(id), 'a watch of this stream');
    this.#options.hub.remove(watcher);
    this.#watches.delete(id);
    this.#ids.delete(watcher);
  }

  /** Of an unknown watch: nothing, as in etcd. */
  #cancel(watchId: bigint): void {
    if (!this.#watches.has(watchId)) return;
    this.#remove(watchId);
    this.#send({ watchId, canceled: true });
  }

  /** Several requests before there is an answer are answered once. */
  #requestProgress(): void {
    if (!this.#sendProgress()) this.#options.hub.awaitProgress(this.#answerProgress);
  }

  /**
   * One response about all watches of the stream, when each of them has everything up to its
   * revision. Without a watch there is nothing to tell.
   */
  #sendProgress(): boolean {
    const { hub } = this.#options;
    if (this.#watches.size === 0) return true;
    if (!hub.hasRoom(this)) return false;
    for (const { watcher } of this.#watches.values()) if (!hub.hasProgress(watcher)) return false;
    this.#send({ watchId: NO_WATCH }, hub.revision);
    return true;
  }

  #send(fields: Partial<WatchResponse>, revision = this.#options.revision()): void {
    // A literal: create() would cost as much as the rest of a response.
    this.#options.port.send({
      $typeName: 'etcdserverpb.WatchResponse',
      header: revision === 0 ? this.#options.header() : this.#options.header(revision),
      watchId: 0n,
      created: false,
      canceled: false,
      compactRevision: 0n,
      cancelReason: '',
      fragment: false,
      events: [],
      ...fields,
    });
  }
}

function tooMany(): string {
  return EtcdError.of('tooManyRequests').message;
}
