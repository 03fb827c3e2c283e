import { ownBytes } from '../lib/bytes.ts';
import type { MemberId, Message } from '../raft/message.ts';
import { decodeCbor, encodeCbor, FrameError, packMessages, unpackMessages } from './codec.ts';

/** Who speaks. Checked before anything else in a frame is believed. */
export interface PeerIdentity {
  readonly clusterId: string;
  readonly memberId: MemberId;
  /**
   * Drawn when the member's database was created: a member that lost its data is not the same one.
   */
  readonly databaseId: string;
}

export type FrameBody =
  | { readonly kind: 'messages'; readonly messages: readonly Message[] }
  /** One piece of a snapshot. */
  | {
      readonly kind: 'chunk';
      readonly transferId: string;
      readonly sequence: number;
      readonly chunk: Uint8Array;
    }
  /** A method that only the leader can answer: its path and the request in protobuf. */
  | {
      readonly kind: 'call';
      readonly path: string;
      readonly request: Uint8Array;
      readonly caller: FrameCaller;
    }
  /** A new member introduces itself before it takes part. */
  | { readonly kind: 'hello' }
  /** Who belongs to the cluster? Asked by one that does not know yet who it is itself. */
  | { readonly kind: 'members' };

export interface Frame {
  readonly sender: PeerIdentity;
  readonly body: FrameBody;
}

/** Whose call it is, as the member that was asked has found out: peers vouch for their clients. */
export interface FrameCaller {
  readonly username: string;
  readonly authRevision: number;
}

/** `removed`: the sender was a member once, and never will be again under its id. */
const STATUSES = ['ok', 'refused', 'removed', 'starting', 'failed'] as const;
export type ReplyStatus = (typeof STATUSES)[number];

/** `ok`, or why the peer does not take it. */
export interface FrameReply {
  readonly sender: PeerIdentity;
  readonly status: ReplyStatus;
  /** For people: why not. */
  readonly reason: string;
  readonly messages: readonly Message[];
  /** Of a call: the response in protobuf, or the error's code and text. */
  readonly call: CallResult | null;
}

export type CallResult =
  | { readonly response: Uint8Array }
  | { readonly code: number; readonly message: string };

/** Raised when the meaning of a frame changes; a peer with another one is refused by name. */
const PROTOCOL_VERSION = 1;

export function encodeFrame({ sender, body }: Frame): Uint8Array {
  const head = [PROTOCOL_VERSION, sender.clusterId, sender.memberId, sender.databaseId, body.kind];
  if (body.kind === 'messages') return encodeCbor([...head, packMessages(body.messages)]);
  if (body.kind === 'chunk') {
    return encodeCbor([...head, body.transferId, body.sequence, body.chunk]);
  }
  if (body.kind === 'call') {
    const { username, authRevision } = body.caller;
    return encodeCbor([...head, body.path, body.request, username, authRevision]);
  }
  return encodeCbor(head);
}

/** @throws FrameError */
export function decodeFrame(bytes: Uint8Array): Frame {
  const list = listOf(decodeCbor(bytes));
  const [, , , , kind, a, b, c, d] = list;
  const sender = senderOf(list);
  if (kind === 'messages') return { sender, body: { kind, messages: unpackMessages(a) } };
  if (kind === 'hello' || kind === 'members') return { sender, body: { kind } };
  if (kind === 'call' && typeof a === 'string' && b instanceof Uint8Array) {
    return { sender, body: { kind, path: a, request: b, caller: callerOf(c, d) } };
  }
  if (
    kind === 'chunk' &&
    typeof a === 'string' &&
    typeof b === 'number' &&
    c instanceof Uint8Array
  ) {
    return { sender, body: { kind, transferId: a, sequence: b, chunk: c } };
  }
  throw new FrameError('unknown kind of frame');
}

export function encodeReply({ sender, status, reason, messages, call }: FrameReply): Uint8Array {
  const { clusterId, memberId, databaseId } = sender;
  const head = [PROTOCOL_VERSION, clusterId, memberId, databaseId, status, reason];
  const packed = packMessages(messages);
  if (call === null) return encodeCbor([...head, packed]);
  const result = 'response' in call ? [call.response] : [call.code, call.message];
  return encodeCbor([...head, packed, result]);
}

/** @throws FrameError */
export function decodeReply(bytes: Uint8Array): FrameReply {
  const list = listOf(decodeCbor(bytes));
  const [, , , , told, reason, messages, call] = list;
  const status = STATUSES.find((known) => known === told);
  if (status === undefined) throw new FrameError('unknown status of a reply');
  return {
    sender: senderOf(list),
    status,
    reason: String(reason),
    messages: unpackMessages(messages),
    call: Array.isArray(call) ? callResultOf(call) : null,
  };
}

/** A frame that names nobody is nobody's. */
function callerOf(username: unknown, authRevision: unknown): FrameCaller {
  if (typeof username !== 'string' || typeof authRevision !== 'number') {
    return { username: '', authRevision: 0 };
  }
  return { username, authRevision };
}

function callResultOf([first, message]: unknown[]): CallResult {
  if (first instanceof Uint8Array) return { response: ownBytes(first) };
  if (typeof first !== 'number') throw new FrameError('the result of a call is malformed');
  return { code: first, message: String(message) };
}

function listOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new FrameError('a frame is not a list');
  if (value[0] !== PROTOCOL_VERSION) {
    throw new FrameError(`peer protocol version ${String(value[0])}, not ${PROTOCOL_VERSION}`);
  }
  return value;
}

function senderOf([, clusterId, memberId, databaseId]: unknown[]): PeerIdentity {
  if (
    typeof clusterId !== 'string' ||
    typeof memberId !== 'string' ||
    typeof databaseId !== 'string'
  ) {
    throw new FrameError('a frame does not say who sends it');
  }
  return { clusterId, memberId, databaseId };
}
