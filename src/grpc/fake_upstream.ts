import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import {
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../api/gen/rpc_pb.ts';
import type { Method } from '../api/methods.ts';
import { must } from '../lib/assert.ts';
import type { ClientStream } from './client_stream.ts';
import type { CallListener, Upstream, UpstreamCall } from './upstream.ts';

type ResponseFields = MessageInitShape<typeof WatchResponseSchema>;

/** A stream of watches at a cluster that a test plays. */
export class FakeWatchCall implements UpstreamCall {
  readonly context: CallContext;
  readonly requests: WatchRequest[] = [];
  cancelled = false;
  paused = false;
  readonly #listener: CallListener;

  constructor(context: CallContext, listener: CallListener) {
    this.context = context;
    this.#listener = listener;
  }

  /** What was asked, in short: `create 1`, `cancel 1`, `progress`. */
  get asked(): string[] {
    return this.requests.map(({ requestUnion }) => {
      if (requestUnion.case === 'createRequest') return `create ${requestUnion.value.watchId}`;
      if (requestUnion.case === 'cancelRequest') return `cancel ${requestUnion.value.watchId}`;
      return 'progress';
    });
  }

  send(bytes: Uint8Array): void {
    this.requests.push(fromBinary(WatchRequestSchema, bytes));
  }

  finish(): void {}

  cancel(): void {
    this.cancelled = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The cluster says something at a revision. */
  answer(revision: number, fields: ResponseFields): void {
    const header = { revision: BigInt(revision) };
    const response = create(WatchResponseSchema, { ...(fields as object), header });
    this.#listener.message(toBinary(WatchResponseSchema, response));
  }

  event(revision: number, watchId: bigint, key = 'a'): void {
    const kv = { key: new TextEncoder().encode(key), modRevision: BigInt(revision) };
    this.answer(revision, { watchId, events: [{ kv }] });
  }

  end(error: EtcdError | null): void {
    this.#listener.end(error);
  }
}

export class FakeUpstream implements Upstream {
  readonly calls: FakeWatchCall[] = [];

  open(_method: Method, context: CallContext, listener: CallListener): UpstreamCall {
    const call = new FakeWatchCall(context, listener);
    this.calls.push(call);
    return call;
  }

  close(): void {}

  call(at: number): FakeWatchCall {
    return must(this.calls[at], `call ${at} was opened`);
  }
}

/** A client that notes what it is told. */
export class FakeClient implements ClientStream {
  pendingBytes = 0;
  readonly told: string[] = [];
  #drained: (() => void) | null = null;

  drained(callback: () => void): void {
    this.#drained = callback;
  }

  /** It has read all. */
  read(): void {
    this.pendingBytes = 0;
    this.#drained?.();
  }

  send(bytes: Uint8Array): void {
    this.told.push(inShort(fromBinary(WatchResponseSchema, bytes)));
  }

  end(error: EtcdError | null): void {
    this.told.push(`end ${error?.message ?? 'well'}`);
  }
}

/** `1@5 created`, `0@7 event 7`, `-1@9`: the watch, the header's revision, and what else. */
function inShort(response: WatchResponse): string {
  const { watchId, header, created, canceled, cancelReason, events } = response;
  const parts = [`${watchId}@${header?.revision ?? '-'}`];
  if (created) parts.push('created');
  if (canceled) parts.push('canceled');
  if (cancelReason !== '') parts.push(cancelReason);
  for (const { kv } of events) parts.push(`event ${kv?.modRevision}`);
  return parts.join(' ');
}
