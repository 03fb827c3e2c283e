import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ResponseHeader,
  type WatchCreateRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
} from '../../api/gen/rpc_pb.ts';
import { textOf, utf8 } from '../../lib/bytes.ts';
import type { Hub } from '../hub.ts';
import { type StreamPort, WatchStream } from '../stream.ts';

export type CreateFields = Omit<
  MessageInitShape<typeof WatchCreateRequestSchema>,
  'key' | 'rangeEnd' | '$typeName'
>;

/** Requests in a test's words. */
export const requests = {
  create: (key: string, rangeEnd = '', fields: CreateFields = {}): WatchRequest => {
    const value = { ...fields, key: utf8(key), rangeEnd: utf8(rangeEnd) };
    return create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value } });
  },
  cancel: (watchId: bigint): WatchRequest =>
    create(WatchRequestSchema, { requestUnion: { case: 'cancelRequest', value: { watchId } } }),
  progress: (): WatchRequest =>
    create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } }),
};

export function header(revision = 0): ResponseHeader {
  return {
    $typeName: 'etcdserverpb.ResponseHeader',
    clusterId: 1n,
    memberId: 2n,
    revision: BigInt(revision),
    raftTerm: 3n,
  };
}

export interface ClientHost {
  readonly hub: Hub;
  revision(): number;
  defer(callback: () => void): void;
}

/** The client's end of a stream: reads at once, or not at all. */
export class Client implements StreamPort {
  readonly responses: WatchResponse[] = [];
  /** Called for each response as it is sent. */
  readonly onResponse: (response: WatchResponse) => void;
  stream: WatchStream;
  refusal: string | null = null;
  changes = 0;
  /** What a response takes in the buffer, without its events. */
  responseBytes = 40;
  readonly #host: ClientHost;
  readonly #frameBytesMax: number;
  #stalled = false;
  #unread = 0;
  #waiting: (() => void)[] = [];

  constructor(
    host: ClientHost,
    onResponse: (response: WatchResponse) => void = () => {},
    frameBytesMax = 2_097_152,
  ) {
    this.#host = host;
    this.onResponse = onResponse;
    this.#frameBytesMax = frameBytesMax;
    this.stream = new WatchStream(this.#options);
  }

  get bufferedBytes(): number {
    return this.#unread;
  }

  send(response: WatchResponse): void {
    this.responses.push(response);
    this.onResponse(response);
    if (this.#stalled) this.#unread += this.responseBytes + 100 * response.events.length;
  }

  drained(callback: () => void): void {
    this.#waiting.push(callback);
    if (!this.#stalled) this.#callBack();
  }

  changed(): void {
    this.changes++;
  }

  /** Stops reading. */
  stall(unread = 0): void {
    this.#stalled = true;
    this.#unread += unread;
  }

  /** Reads everything. */
  read(): void {
    this.#stalled = false;
    this.#unread = 0;
    this.#callBack();
  }

  watch(...of: Parameters<typeof requests.create>): void {
    this.stream.receive(requests.create(...of));
  }

  /** What is kept of the stream while nobody serves it. */
  save(): string {
    return JSON.stringify(this.stream.save());
  }

  resume(saved: string): void {
    this.stream = WatchStream.resume(JSON.parse(saved), this.#options);
  }

  /** What was sent since the last look, in few words. */
  take(): string[] {
    return this.responses.splice(0).map(describeResponse);
  }

  get #options() {
    return {
      hub: this.#host.hub,
      port: this,
      header,
      revision: () => this.#host.revision(),
      refuse: () => this.refusal,
      revoke: () => this.refusal,
      frameBytesMax: this.#frameBytesMax,
    };
  }

  #callBack(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) this.#host.defer(callback);
  }
}

/** For example `0@7 PUT a=1/5 DELETE b`: watch, header revision, events with previous revision. */
function describeResponse(response: WatchResponse): string {
  const words = [`${response.watchId}@${response.header?.revision}`];
  if (response.created) words.push('created');
  if (response.canceled) words.push('canceled');
  if (response.compactRevision !== 0n) words.push(`compacted ${response.compactRevision}`);
  if (response.cancelReason !== '') words.push(response.cancelReason);
  for (const { type, kv, prevKv } of response.events) {
    const key = textOf(kv?.key ?? new Uint8Array(0));
    const value = textOf(kv?.value ?? new Uint8Array(0));
    const previous = prevKv ? `/${prevKv.modRevision}` : '';
    words.push(type === 0 ? `${key}=${value}${previous}` : `-${key}${previous}`);
  }
  if (response.fragment) words.push('...');
  return words.join(' ');
}
