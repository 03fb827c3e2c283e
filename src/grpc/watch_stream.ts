import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import {
  type ResponseHeader,
  type WatchCreateRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { methodOf } from '../api/methods.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { must } from '../lib/assert.ts';
import type { ClientStream } from './client_stream.ts';
import type { Upstream, UpstreamCall } from './upstream.ts';
import type { Subscriber, WatchHub } from './watch_hub.ts';
import { decodeWatchRequest, NO_WATCH, withWatchId } from './watch_message.ts';

const ID_IN_USE = 'mvcc: duplicate watch ID provided on the WatchStream';
const METHOD = must(methodOf('/v3/watch'), 'watches are served');

/** What a stream of watches needs of the bridge. */
export interface WatchHost {
  readonly upstream: Upstream;
  /** Where watches of the present are shared, among those who show the same token. */
  hubOf(context: CallContext): WatchHub;
}

/** A watch that follows one in the hub. */
interface Following {
  readonly hub: WatchHub;
  /** Of what it was told last. */
  header: ResponseHeader | undefined;
  leave(): void;
}

/**
 * A client's stream of watches. Those of the present are shared with other clients; those of the
 * past go through as they are, in a stream upstream that is this client's alone. So a client that
 * catches up delays nobody, and can be held back when it reads slowly.
 */
export class WatchStream {
  readonly #host: WatchHost;
  readonly #context: CallContext;
  readonly #client: ClientStream;
  /** Shared watches by the client's id. */
  readonly #following = new Map<bigint, Following>();
  /** Ids of watches that are the client's alone. */
  readonly #own = new Set<bigint>();
  /** Ids of those of them that are asked for: answers come in order. */
  readonly #creating: bigint[] = [];
  #ownCall: UpstreamCall | null = null;
  #nextId = 0n;
  #over = false;

  constructor(host: WatchHost, context: CallContext, client: ClientStream) {
    this.#host = host;
    this.#context = context;
    this.#client = client;
  }

  /** @throws EtcdError when that is no request */
  receive(bytes: Uint8Array): void {
    if (this.#over) return;
    const { requestUnion } = decodeWatchRequest(bytes);
    if (requestUnion.case === 'createRequest') this.#create(requestUnion.value);
    else if (requestUnion.case === 'cancelRequest') this.#cancel(requestUnion.value.watchId);
    else if (requestUnion.case === 'progressRequest') this.#progress();
  }

  /** The client is gone, or was told that it is over. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ownCall?.cancel();
    for (const { leave } of this.#following.values()) leave();
    this.#following.clear();
  }

  #create(request: WatchCreateRequest): void {
    const id = this.#chooseId(request.watchId);
    if (id === null) return this.#refuse();
    if (request.startRevision === 0n && !request.fragment) this.#follow(id, request);
    else this.#createOwn(id, request);
  }

  /** As etcd numbers them: from 0, without those that the client chose. Null: it is taken. */
  #chooseId(wanted: bigint): bigint | null {
    if (wanted !== 0n) return this.#isTaken(wanted) ? null : wanted;
    while (this.#isTaken(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #isTaken(id: bigint): boolean {
    return this.#own.has(id) || this.#following.has(id);
  }

  #refuse(): void {
    const refused = { watchId: NO_WATCH, created: true, canceled: true };
    this.#send(create(WatchResponseSchema, { ...refused, cancelReason: ID_IN_USE }));
  }

  #follow(id: bigint, request: WatchCreateRequest): void {
    const hub = this.#host.hubOf(this.#context);
    // A hub is slow to take in others while one of its watches is behind: it is not waited for.
    const late = setTimeout(() => {
      this.#unfollow(id);
      this.#createOwn(id, request);
    }, bridgeLimits.joinMs);
    const following: Following = { hub, header: undefined, leave: () => undefined };
    const leave = hub.follow(request, this.#subscriber(id, following, late));
    following.leave = () => {
      clearTimeout(late);
      leave();
    };
    this.#following.set(id, following);
  }

  #subscriber(id: bigint, following: Following, late: NodeJS.Timeout): Subscriber {
    return {
      created: (header) => {
        clearTimeout(late);
        following.header = header;
        this.#send(responseOf({ watchId: id, created: true }, header));
      },
      response: (body, { header }) => {
        following.header = header;
        this.#client.send(withWatchId(body, id));
      },
      over: (response) => {
        clearTimeout(late);
        this.#following.delete(id);
        this.#send({ ...response, watchId: response.created ? NO_WATCH : id });
      },
      lost: (error) => {
        clearTimeout(late);
        this.#end(error);
      },
    };
  }

  #unfollow(id: bigint): Following | null {
    const following = this.#following.get(id) ?? null;
    this.#following.delete(id);
    following?.leave();
    return following;
  }

  #createOwn(id: bigint, request: WatchCreateRequest): void {
    this.#own.add(id);
    this.#creating.push(id);
    this.#sendOwn({ case: 'createRequest', value: { ...request, watchId: id } });
  }

  #cancel(id: bigint): void {
    if (this.#own.has(id)) {
      this.#sendOwn({ case: 'cancelRequest', value: { watchId: id } });
      return;
    }
    const following = this.#unfollow(id);
    if (following === null) return;
    this.#send(responseOf({ watchId: id, canceled: true }, following.header));
  }

  /** The answer counts for all watches of the stream; with none there is no answer, as in etcd. */
  #progress(): void {
    if (this.#own.size > 0) this.#sendOwn({ case: 'progressRequest', value: {} });
    else this.#progressOfHub(null);
  }

  /** @param limit what the client's own watches have got up to; null: it has none */
  #progressOfHub(limit: ResponseHeader | null): void {
    const [following] = this.#following.values();
    if (following === undefined) {
      if (limit !== null) this.#tellProgress(limit);
      return;
    }
    following.hub.progress((header) => {
      const isBehind = limit !== null && header !== undefined && limit.revision < header.revision;
      this.#tellProgress(isBehind ? limit : header);
    });
  }

  #tellProgress(header: ResponseHeader | undefined): void {
    this.#send(responseOf({ watchId: NO_WATCH }, header));
  }

  #sendOwn(requestUnion: OwnRequest): void {
    this.#ownCall ??= this.#host.upstream.open(
      METHOD,
      { ...this.#context, timeoutMs: null },
      { message: (bytes) => this.#receivedOwn(bytes), end: (error) => this.#end(error) },
    );
    this.#ownCall.send(toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion })));
  }

  #receivedOwn(bytes: Uint8Array): void {
    if (this.#over) return;
    const response = fromBinary(WatchResponseSchema, bytes);
    const { watchId, created, canceled, events } = response;
    const asked = created ? this.#creating.shift() : undefined;
    if (canceled) this.#own.delete(asked ?? watchId);
    const isProgress = watchId === NO_WATCH && !created && !canceled && events.length === 0;
    if (isProgress && this.#following.size > 0) {
      return this.#progressOfHub(response.header ?? null);
    }
    this.#client.send(bytes);
    if (this.#client.pendingBytes > bridgeLimits.highWaterBytes) this.#holdBack();
  }

  #holdBack(): void {
    this.#ownCall?.pause();
    this.#client.drained(() => this.#ownCall?.resume());
  }

  #send(response: WatchResponse): void {
    if (!this.#over) this.#client.send(toBinary(WatchResponseSchema, response));
  }

  #end(error: EtcdError | null): void {
    if (this.#over) return;
    this.close();
    this.#client.end(error);
  }
}

function responseOf(
  fields: MessageInitShape<typeof WatchResponseSchema>,
  header: ResponseHeader | undefined,
): WatchResponse {
  return create(WatchResponseSchema, header === undefined ? fields : { ...fields, header });
}

type OwnRequest =
  | { readonly case: 'createRequest'; readonly value: WatchCreateRequest }
  | { readonly case: 'cancelRequest'; readonly value: { readonly watchId: bigint } }
  | { readonly case: 'progressRequest'; readonly value: Record<string, never> };
