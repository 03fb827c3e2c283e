import type * as api from '../api/gen/messages.ts';
import { Calls } from './calls.ts';
import type { Init } from './channel.ts';
import {
  connectionLost,
  EtcdError,
  EtcdWatchCanceledError,
  EtcdWatchCompactedError,
  errorOf,
  isPassing,
  isTokenInvalid,
} from './error.ts';
import type { Bytes, EncodedRange, KeyRange, KeySpace } from './key_space.ts';
import { KeyValue } from './key_value.ts';
import { sleep } from './sleep.ts';

/** A change of one key. */
export interface WatchEvent {
  /** What has happened to the key. */
  readonly type: 'put' | 'delete';
  /** The key, as text. */
  readonly key: string;
  /** Of a deletion only the key and its modRevision are set. */
  readonly kv: KeyValue;
  /** What the key was before, if that was asked for and is known. */
  readonly previous: KeyValue | null;
  /** Of the change. */
  readonly revision: number;
}

/** Everything that one or several revisions changed in the range: never a part of one. */
export interface WatchBatch {
  /** Everything up to it has been seen; a watch from the next one on misses nothing. */
  readonly revision: number;
  /** Empty: nothing has changed, and the revision is news of that. */
  readonly events: readonly WatchEvent[];
}

/** Describes a watch. Iterated it begins, and goes on for ever. */
export class WatchBuilder implements AsyncIterable<WatchEvent> {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  #range: EncodedRange;
  readonly #request: { -readonly [Name in keyof api.WatchCreateRequest]?: unknown } = {
    progressNotify: true,
  };
  #signal: AbortSignal | null = null;

  constructor(calls: Calls, space: KeySpace) {
    this.#calls = calls;
    this.#space = space;
    this.#range = space.all;
  }

  /** One key. */
  key(key: Bytes): this {
    this.#range = this.#space.key(key);
    return this;
  }

  /** The keys that begin so. */
  prefix(prefix: Bytes): this {
    this.#range = this.#space.prefix(prefix);
    return this;
  }

  /** The keys from a first one up to another, which is not one of them. */
  inRange(range: KeyRange): this {
    this.#range = this.#space.range(range);
    return this;
  }

  /** The first revision to be told of; without it, the next one that is made. */
  startRevision(revision: number): this {
    this.#request.startRevision = revision;
    return this;
  }

  /** Events have what the key was before. */
  withPreviousKV(): this {
    this.#request.prevKv = true;
    return this;
  }

  /** Leaves out events of one type. */
  ignore(type: 'put' | 'delete'): this {
    this.#request.filters = [type === 'put' ? 'NOPUT' : 'NODELETE'];
    return this;
  }

  /** Leaves out events of the other type. */
  only(type: 'put' | 'delete'): this {
    return this.ignore(type === 'put' ? 'delete' : 'put');
  }

  /** Ends the watch with the signal's reason. */
  signal(signal: AbortSignal): this {
    this.#signal = signal;
    return this;
  }

  /** Begins the watch. On return every later change will be seen. @throws EtcdError */
  async create(): Promise<Watcher> {
    const watcher = this.#watcher();
    await watcher.created;
    return watcher;
  }

  [Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, void> {
    return this.#watcher()[Symbol.asyncIterator]();
  }

  #watcher(): Watcher {
    const create = { ...this.#request, ...this.#range } as Init<api.WatchCreateRequest>;
    return new Watcher(this.#calls, this.#space, create, this.#signal);
  }
}

/**
 * A watch that resumes by itself: every change once, in the order of revisions, and nothing left
 * out, across lost connections, members that die and leaders that change. What cannot be resumed is
 * thrown: revisions that were compacted away meanwhile, rights that were taken away.
 */
export class Watcher implements AsyncIterable<WatchEvent> {
  /** Resolves when the server has confirmed the watch. Rejects when it never will. */
  readonly created: Promise<void>;
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #create: Init<api.WatchCreateRequest>;
  readonly #ended = new AbortController();
  /** The first revision that has not been seen; 0: wherever the watch begins. */
  #next: number;
  /** What its client had seen before: a member that is behind must not tell it as news. */
  readonly #before: number;
  readonly #batches: AsyncGenerator<WatchBatch, void, void>;
  /** What was read so that the watch could be said to be created. */
  #first: Promise<IteratorResult<WatchBatch, void>> | null;
  #confirm: () => void = () => {};

  constructor(
    calls: Calls,
    space: KeySpace,
    create: Init<api.WatchCreateRequest>,
    signal: AbortSignal | null,
  ) {
    this.#calls = calls;
    this.#space = space;
    this.#create = create;
    this.#next = create.startRevision ?? 0;
    this.#before = calls.seenRevision;
    const abort = () => this.#ended.abort(signal?.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { signal: this.#ended.signal });
    const confirmed = new Promise<void>((resolve) => {
      this.#confirm = resolve;
    });
    this.#batches = this.#run();
    this.#first = this.#batches.next();
    this.created = Promise.race([confirmed, this.#first.then(() => {})]);
    // Whoever iterates gets the error there.
    this.created.catch(() => {});
  }

  /** Of the next event, at least. */
  get nextRevision(): number {
    return this.#next;
  }

  /** Whole revisions, and news that nothing has changed. */
  async *batches(): AsyncGenerator<WatchBatch, void, void> {
    try {
      for (;;) {
        const { done, value } = await (this.#takeFirst() ?? this.#batches.next());
        if (done) return;
        yield value;
      }
    } finally {
      this.cancel();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, void> {
    for await (const { events } of this.batches()) yield* events;
  }

  /** Ends the watch: whoever iterates it gets to the end. */
  cancel(): void {
    this.#ended.abort(CANCELED);
    void this.#batches.return().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }

  #takeFirst(): Promise<IteratorResult<WatchBatch, void>> | null {
    const first = this.#first;
    this.#first = null;
    return first;
  }

  async *#run(): AsyncGenerator<WatchBatch, void, void> {
    const { signal } = this.#ended;
    for (let tries = 1; ; tries++) {
      try {
        for await (const response of this.#stream()) {
          const batch = this.#received(response);
          tries = 1;
          if (batch !== null) yield batch;
        }
      } catch (error) {
        if (signal.aborted && signal.reason === CANCELED) return;
        if (!isResumable(error)) throw error;
      }
      if (signal.aborted && signal.reason === CANCELED) return;
      try {
        await sleep(Calls.pauseMs(tries), signal, this.#calls.closed);
      } catch (error) {
        if (error === CANCELED) return;
        throw error;
      }
    }
  }

  #stream(): AsyncGenerator<api.WatchResponse, void, void> {
    const createRequest = { ...this.#create, startRevision: this.#next };
    return this.#calls.stream('/v3/watch', { createRequest }, { signal: this.#ended.signal });
  }

  /** @returns null: it says nothing to whoever watches. @throws EtcdError when the watch is over */
  #received(response: api.WatchResponse): WatchBatch | null {
    const { created, canceled, compactRevision, cancelReason, header, events } = response;
    if (canceled) {
      if (compactRevision > 0) throw new EtcdWatchCompactedError(compactRevision);
      throw canceledError(cancelReason);
    }
    const revision = header?.revision ?? 0;
    if (created) {
      // From here on: what comes next must not be lost with the connection.
      if (this.#next === 0) this.#next = Math.max(revision, this.#before) + 1;
      this.#confirm();
      return null;
    }
    // A member that is asked anew repeats nothing; one that did must not be believed.
    const fresh = events.filter(({ kv }) => (kv?.modRevision ?? 0) >= this.#next);
    const last = fresh.at(-1)?.kv?.modRevision;
    const seen = last ?? (events.length === 0 ? revision : 0);
    if (seen < this.#next) return null;
    this.#next = seen + 1;
    return { revision: seen, events: fresh.map((event) => this.#event(event)) };
  }

  #event({ type, kv, prevKv }: api.Event): WatchEvent {
    const changed = new KeyValue(kv ?? EMPTY_KV, this.#space);
    return {
      type: type === 'DELETE' ? 'delete' : 'put',
      key: changed.key,
      kv: changed,
      previous: prevKv === undefined ? null : new KeyValue(prevKv, this.#space),
      revision: changed.modRevision,
    };
  }
}

/** The reason of a watch that its owner has ended. */
const CANCELED = Symbol('canceled');

const EMPTY_KV: api.KeyValue = {
  key: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: new Uint8Array(0),
  lease: 0n,
};

function isResumable(error: unknown): boolean {
  return error instanceof EtcdError && (isPassing(error) || isTokenInvalid(error));
}

/** A cancellation is told as gRPC prints errors: "rpc error: code = X desc = words". */
function canceledError(reason: string): EtcdError {
  const words = /^rpc error: code = \w+ desc = (.*)$/s.exec(reason)?.[1] ?? reason;
  const known = errorOf(14, words);
  if (isTokenInvalid(known)) return known;
  const isPermission = words.includes('permission denied') || words.includes('user name is empty');
  if (isPermission || words === '') return new EtcdWatchCanceledError(7, words || 'canceled');
  // The server ends watches that it cannot serve now: slow readers, members that stop.
  return connectionLost(true, new Error(words));
}
