import { textOf, utf8 } from '../lib/bytes.ts';
import {
  FrameWriter,
  readBytes,
  readInteger,
  readMessage,
  readNumber,
  skipField,
} from './session-wire.ts';
import { WireReader } from './wire.ts';

/** What a server sends in a session, by hand: proto/session.proto says the same. */

/** The answer to a hello. */
export interface Welcome {
  readonly version: number;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** 0: none is known. */
  readonly leaderId: bigint;
}

export interface Failure {
  readonly code: number;
  readonly message: string;
}

export interface Answer {
  readonly id: number;
  /** A view on the frame; null: there is none. */
  readonly response: Uint8Array | null;
  /** Answers to the same operation follow. */
  readonly more: boolean;
  readonly failure: Failure | null;
}

export interface ServerFrame {
  readonly welcome: Welcome | null;
  readonly answers: readonly Answer[];
}

/** Tags: field number times eight and the wire type. */
const FRAME = { welcome: 10, answer: 18 } as const;
const WELCOME = { version: 8, clusterId: 16, memberId: 24, leaderId: 32 } as const;
const ANSWER = { id: 8, response: 18, more: 24, failure: 34 } as const;
const FAILURE = { code: 8, message: 18 } as const;

/** Reads a frame whole, or not at all. @throws MalformedFrame */
export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  const reader = new WireReader(bytes);
  const answers: Answer[] = [];
  let welcome: Welcome | null = null;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === FRAME.answer) answers.push(readAnswer(readMessage(reader)));
    else if (tag === FRAME.welcome) welcome = readWelcome(readMessage(reader));
    else skipField(reader, tag);
  }
  return { welcome, answers };
}

function readWelcome(reader: WireReader): Welcome {
  const welcome = { version: 0, clusterId: 0n, memberId: 0n, leaderId: 0n };
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === WELCOME.version) welcome.version = readNumber(reader);
    else if (tag === WELCOME.clusterId) welcome.clusterId = readInteger(reader);
    else if (tag === WELCOME.memberId) welcome.memberId = readInteger(reader);
    else if (tag === WELCOME.leaderId) welcome.leaderId = readInteger(reader);
    else skipField(reader, tag);
  }
  return welcome;
}

function readAnswer(reader: WireReader): Answer {
  let id = 0;
  let response: Uint8Array | null = null;
  let more = false;
  let failure: Failure | null = null;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === ANSWER.id) id = readNumber(reader);
    else if (tag === ANSWER.response) response = readBytes(reader);
    else if (tag === ANSWER.more) more = readNumber(reader) !== 0;
    else if (tag === ANSWER.failure) failure = readFailure(readMessage(reader));
    else skipField(reader, tag);
  }
  return { id, response, more, failure };
}

function readFailure(reader: WireReader): Failure {
  const failure = { code: 0, message: '' };
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === FAILURE.code) failure.code = readNumber(reader);
    else if (tag === FAILURE.message) failure.message = textOf(readBytes(reader));
    else skipField(reader, tag);
  }
  return failure;
}

/** Packs answers into frames: what is ready together leaves together. */
export class ServerFrameWriter extends FrameWriter {
  welcome({ version, clusterId, memberId, leaderId }: Welcome): void {
    const inside = new FrameWriter();
    inside.number(WELCOME.version, version);
    inside.integer(WELCOME.clusterId, clusterId);
    inside.integer(WELCOME.memberId, memberId);
    inside.integer(WELCOME.leaderId, leaderId);
    this.bytes(FRAME.welcome, inside.take());
  }

  /** @param more whether other answers to the same operation follow */
  answer(id: number, response: Uint8Array, more: boolean): void {
    const size =
      FrameWriter.numberSize(id) + FrameWriter.bytesSize(response.length) + (more ? 2 : 0);
    this.head(FRAME.answer, size);
    this.number(ANSWER.id, id);
    this.bytes(ANSWER.response, response);
    if (more) this.number(ANSWER.more, 1);
  }

  /** The last answer to a stream that ended well. */
  end(id: number): void {
    this.head(FRAME.answer, FrameWriter.numberSize(id));
    this.number(ANSWER.id, id);
  }

  /** The last answer to an operation that failed. */
  fail(id: number, { code, message }: Failure): void {
    const failure = new FrameWriter();
    failure.number(FAILURE.code, code);
    failure.bytes(FAILURE.message, utf8(message));
    const bytes = failure.take();
    this.head(FRAME.answer, FrameWriter.numberSize(id) + FrameWriter.bytesSize(bytes.length));
    this.number(ANSWER.id, id);
    this.bytes(ANSWER.failure, bytes);
  }
}
