import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import {
  type ResponseHeader,
  type WatchCreateRequest,
  WatchCreateRequestSchema,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { methodOf } from '../api/methods.ts';
import { must } from '../lib/assert.ts';
import { mapKey } from '../lib/bytes.ts';
import type { Upstream, UpstreamCall } from './upstream.ts';
import { encodeWithoutId, NO_WATCH } from './watch_message.ts';

/** Who follows a shared watch. */
export interface Subscriber {
  /** The watch begins for it: it gets what happens after this header's revision. */
  created(header: ResponseHeader | undefined): void;
  /** A response, encoded without the watch's id. */
  response(body: Uint8Array, response: WatchResponse): void;
  /** The watch is over, by word of the cluster: it was refused, or cancelled. */
  over(response: WatchResponse): void;
  /** The way to the cluster is lost. */
  lost(error: EtcdError | null): void;
}

const METHOD = must(methodOf('/v3/watch'), 'watches are served');

/** One watch upstream, and all who follow it. */
interface SharedWatch {
  readonly identity: string;
  readonly id: bigint;
  /** Those that were told where it begins. */
  readonly active: Set<Subscriber>;
  /** Those that wait to be told. */
  readonly joining: Set<Subscriber>;
  /** The cluster has made it. */
  created: boolean;
}

/**
 * Watches of the present, each asked of the cluster once however many clients have it: all in one
 * stream upstream.
 *
 * A client that comes later must get exactly what happens after its watch was made: nothing that
 * it may have seen, and all that follows. So the stream is asked for its progress. The answer
 * says that all watches of the stream have got everything up to its revision, and it comes in the
 * stream's order: from there on the newcomer gets what the others get.
 */
export class WatchHub {
  readonly #call: UpstreamCall;
  readonly #emptied: () => void;
  readonly #byIdentity = new Map<string, SharedWatch>();
  readonly #byId = new Map<bigint, SharedWatch>();
  /** Asked for and not answered yet: answers come in the order of the requests. */
  readonly #creating: SharedWatch[] = [];
  /** Who waits for the answer that is under way, and for the one after it. */
  #asked: (() => void)[] | null = null;
  #asking: (() => void)[] = [];
  #askedHeader: ResponseHeader | undefined;
  #lastId = 0n;
  #over = false;

  /** @param emptied called when nobody follows anything any more, or when it is over */
  constructor(upstream: Upstream, context: CallContext, emptied: () => void) {
    this.#emptied = emptied;
    this.#call = upstream.open(
      METHOD,
      { ...context, timeoutMs: null },
      {
        message: (bytes) => this.#received(fromBinary(WatchResponseSchema, bytes)),
        end: (error) => this.#lost(error),
      },
    );
  }

  get watchCount(): number {
    return this.#byId.size;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** @returns how to leave; the subscriber hears nothing afterwards */
  follow(request: WatchCreateRequest, subscriber: Subscriber): () => void {
    const watch = this.#watchOf(request);
    watch.joining.add(subscriber);
    if (watch.created) this.#admitLater(watch, subscriber);
    return () => this.#leave(watch, subscriber);
  }

  /** Calls back when everything up to the header's revision has been passed on. */
  progress(done: (header: ResponseHeader | undefined) => void): void {
    this.#asking.push(() => done(this.#askedHeader));
    this.#askNext();
  }

  #watchOf(request: WatchCreateRequest): SharedWatch {
    const wanted = create(WatchCreateRequestSchema, { ...request, watchId: 0n });
    const identity = mapKey(toBinary(WatchCreateRequestSchema, wanted));
    const known = this.#byIdentity.get(identity);
    if (known !== undefined) return known;
    const id = ++this.#lastId;
    const watch: SharedWatch = {
      identity,
      id,
      active: new Set(),
      joining: new Set(),
      created: false,
    };
    this.#byIdentity.set(identity, watch);
    this.#byId.set(id, watch);
    this.#creating.push(watch);
    this.#send({ case: 'createRequest', value: { ...wanted, watchId: id } });
    return watch;
  }

  #admitLater(watch: SharedWatch, subscriber: Subscriber): void {
    this.progress((header) => {
      if (!watch.joining.delete(subscriber)) return;
      watch.active.add(subscriber);
      subscriber.created(header);
    });
  }

  #leave(watch: SharedWatch, subscriber: Subscriber): void {
    watch.active.delete(subscriber);
    watch.joining.delete(subscriber);
    if (watch.active.size + watch.joining.size > 0 || !this.#forget(watch)) return;
    if (this.#byId.size > 0) {
      this.#send({ case: 'cancelRequest', value: { watchId: watch.id } });
      return;
    }
    this.#over = true;
    this.#call.cancel();
    this.#emptied();
  }

  /** @returns whether it was there */
  #forget(watch: SharedWatch): boolean {
    if (!this.#byId.delete(watch.id)) return false;
    this.#byIdentity.delete(watch.identity);
    return true;
  }

  #askNext(): void {
    if (this.#asked !== null || this.#asking.length === 0 || this.#over) return;
    this.#asked = this.#asking;
    this.#asking = [];
    this.#send({ case: 'progressRequest', value: {} });
  }

  #received(response: WatchResponse): void {
    if (response.created) return this.#answered(response);
    if (response.watchId === NO_WATCH) return this.#progressed(response);
    const watch = this.#byId.get(response.watchId);
    // Of one that everybody has left.
    if (watch === undefined) return;
    if (response.canceled) return this.#cancelled(watch, response);
    const body = encodeWithoutId(response);
    for (const subscriber of watch.active) subscriber.response(body, response);
  }

  #progressed({ header }: WatchResponse): void {
    const asked = this.#asked;
    if (asked === null) return;
    this.#asked = null;
    this.#askedHeader = header;
    for (const done of asked) done();
    this.#askNext();
  }

  /** The next watch was made, or refused: then its id is not told. */
  #answered(response: WatchResponse): void {
    const watch = must(this.#creating.shift(), 'what is answered was asked for');
    if (this.#byId.get(watch.id) !== watch) return;
    if (response.canceled) return this.#cancelled(watch, response);
    watch.created = true;
    for (const subscriber of watch.joining) {
      watch.active.add(subscriber);
      subscriber.created(response.header);
    }
    watch.joining.clear();
  }

  #cancelled(watch: SharedWatch, response: WatchResponse): void {
    this.#forget(watch);
    for (const subscriber of [...watch.active, ...watch.joining]) subscriber.over(response);
    if (this.#byId.size > 0) return;
    this.#over = true;
    this.#call.cancel();
    this.#emptied();
  }

  #lost(error: EtcdError | null): void {
    if (this.#over) return;
    this.#over = true;
    const watches = [...this.#byId.values()];
    this.#byId.clear();
    this.#byIdentity.clear();
    this.#emptied();
    for (const { active, joining } of watches) {
      for (const subscriber of [...active, ...joining]) subscriber.lost(error);
    }
  }

  #send(requestUnion: Parameters<typeof requestOf>[0]): void {
    this.#call.send(toBinary(WatchRequestSchema, requestOf(requestUnion)));
  }
}

type RequestUnion =
  | { readonly case: 'createRequest'; readonly value: WatchCreateRequest }
  | { readonly case: 'cancelRequest'; readonly value: { readonly watchId: bigint } }
  | { readonly case: 'progressRequest'; readonly value: Record<string, never> };

function requestOf(requestUnion: RequestUnion) {
  return create(WatchRequestSchema, { requestUnion });
}
