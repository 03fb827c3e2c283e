import { EMPTY_BYTES, textOf, utf8 } from '../lib/bytes.ts';
import {
  FrameWriter,
  MalformedFrame,
  readBytes,
  readMessage,
  readNumber,
  skipField,
} from './session-wire.ts';
import { WireReader } from './wire.ts';

/** What a client sends in a session, by hand: proto/session.proto says the same. */

/** What an operation does: see proto/session.proto. */
export const Action = { send: 0, finish: 1, cancel: 2 } as const;

/** The first thing that a client says. */
export interface Hello {
  readonly version: number;
  /** null: none was sent. */
  readonly token: string | null;
  readonly requireLeader: boolean;
}

/** One call, or the next request of a stream. */
export interface Operation {
  readonly id: number;
  /** 0: the operation is open already. */
  readonly method: number;
  /** A view on the frame. */
  readonly request: Uint8Array;
  /** 0: the server's own deadline. */
  readonly timeoutMs: number;
  /** One of {@link Action}, or a number that nobody knows. */
  readonly action: number;
}

export interface ClientFrame {
  readonly hello: Hello | null;
  readonly operations: readonly Operation[];
  /** null: it does not say. */
  readonly receivedBytes: number | null;
}

/** Tags: field number times eight and the wire type. */
const FRAME = { hello: 10, operation: 18, received: 24 } as const;
const HELLO = { version: 8, token: 18, requireLeader: 24 } as const;
const OPERATION = { id: 8, method: 16, request: 26, timeout: 32, action: 40 } as const;

/** Reads a frame whole, or not at all. @throws MalformedFrame */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  const reader = new WireReader(bytes);
  const operations: Operation[] = [];
  let hello: Hello | null = null;
  let receivedBytes: number | null = null;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === FRAME.operation) operations.push(readOperation(readMessage(reader)));
    else if (tag === FRAME.received) receivedBytes = readNumber(reader);
    else if (tag === FRAME.hello) hello = readHello(readMessage(reader));
    else skipField(reader, tag);
  }
  return { hello, operations, receivedBytes };
}

function readHello(reader: WireReader): Hello {
  let version = 0;
  let token: string | null = null;
  let requireLeader = false;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === HELLO.version) version = readNumber(reader);
    else if (tag === HELLO.token) token = textOf(readBytes(reader));
    else if (tag === HELLO.requireLeader) requireLeader = readNumber(reader) !== 0;
    else skipField(reader, tag);
  }
  return { version, token, requireLeader };
}

function readOperation(reader: WireReader): Operation {
  let id = 0;
  let method = 0;
  let request: Uint8Array = EMPTY_BYTES;
  let timeoutMs = 0;
  let action = 0;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === OPERATION.id) id = readNumber(reader);
    else if (tag === OPERATION.method) method = readNumber(reader);
    else if (tag === OPERATION.request) request = readBytes(reader);
    else if (tag === OPERATION.timeout) timeoutMs = readNumber(reader);
    else if (tag === OPERATION.action) action = readNumber(reader);
    else skipField(reader, tag);
  }
  if (id === 0) throw new MalformedFrame('an operation has no id');
  return { id, method, request, timeoutMs, action };
}

/** Packs operations into frames: what is issued together leaves together. */
export class ClientFrameWriter extends FrameWriter {
  hello({ version, token, requireLeader }: Hello): void {
    const inside = new FrameWriter();
    inside.number(HELLO.version, version);
    if (token !== null) inside.bytes(HELLO.token, utf8(token));
    if (requireLeader) inside.number(HELLO.requireLeader, 1);
    this.bytes(FRAME.hello, inside.take());
  }

  operation({ id, method, request, timeoutMs, action }: Operation): void {
    const hasRequest = request.length > 0;
    const size =
      FrameWriter.numberSize(id) +
      FrameWriter.numberSize(method) +
      (hasRequest ? FrameWriter.bytesSize(request.length) : 0) +
      FrameWriter.numberSize(timeoutMs) +
      FrameWriter.numberSize(action);
    this.head(FRAME.operation, size);
    this.number(OPERATION.id, id);
    this.number(OPERATION.method, method);
    if (hasRequest) this.bytes(OPERATION.request, request);
    this.number(OPERATION.timeout, timeoutMs);
    this.number(OPERATION.action, action);
  }

  received(bytes: number): void {
    this.number(FRAME.received, bytes);
  }
}
