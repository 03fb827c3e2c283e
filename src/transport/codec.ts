import { Decoder, Encoder } from 'cbor-x/index-no-eval';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { ownBytes } from '../lib/bytes.ts';
import { messageOf } from '../lib/error.ts';
import type { ConfState, Entry, EntryKind, Message, SnapshotMeta } from '../raft/message.ts';

/**
 * CBOR of what members say to each other. Messages are positional: a code for the type, then the
 * fields in the order below. Fields are only ever added at the end, so that members of different
 * releases understand each other while a deployment spreads.
 *
 * The no-eval build: the default one compiles decoders with `new Function`, which the platform
 * forbids in a handler. Byte strings are untagged; decoded ones are views on the request and are
 * copied where they are kept.
 */
const encoder = new Encoder({ useRecords: false, tagUint8Array: false, mapsAsObjects: true });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/**
 * How a field is checked and turned back: text, number, number or null, boolean, boolean that
 * members of earlier releases do not send, entries, byte strings, a snapshot's place.
 */
type Field = readonly [name: string, kind: 's' | 'n' | 'n?' | 'b' | 'b?' | 'e' | 'p' | 'm'];

const ENVELOPE: readonly Field[] = [
  ['from', 's'],
  ['to', 's'],
  ['term', 'n'],
  ['epoch', 'n'],
];

const LAYOUTS: readonly { readonly type: Message['type']; readonly fields: readonly Field[] }[] = [
  layout('append', [
    ['prevIndex', 'n'],
    ['prevTerm', 'n'],
    ['entries', 'e'],
    ['commit', 'n'],
    ['round', 'n'],
    ['quiesce', 'b'],
  ]),
  layout('appendReply', [
    ['round', 'n'],
    ['accepted', 'b'],
    ['index', 'n'],
    ['hintIndex', 'n'],
    ['hintTerm', 'n'],
    ['attended', 'b?'],
  ]),
  layout('vote', [
    ['pre', 'b'],
    ['lastIndex', 'n'],
    ['lastTerm', 'n'],
    ['transfer', 'b'],
  ]),
  layout('voteReply', [
    ['pre', 'b'],
    ['granted', 'b'],
  ]),
  layout('timeoutNow', []),
  layout('snapshot', [
    ['snapshot', 'm'],
    ['transferId', 's'],
    ['round', 'n'],
  ]),
  layout('read', [['id', 'n']]),
  layout('readReply', [
    ['id', 'n'],
    ['index', 'n?'],
  ]),
  layout('propose', [['proposals', 'p']]),
  layout('transfer', [['transferee', 's']]),
  layout('commit', [['commit', 'n']]),
];

/**
 * An entry of another kind is of a later release: to apply it as nothing would part the members.
 */
const ENTRY_KINDS: readonly unknown[] = [0, 1] satisfies EntryKind[];

const CODE_OF = new Map(LAYOUTS.map(({ type }, code) => [type, code]));

function layout(type: Message['type'], own: readonly Field[]) {
  return { type, fields: [...ENVELOPE, ...own] };
}

/** Bytes that are not a frame of this protocol. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export function encodeCbor(value: unknown): Uint8Array {
  // The encoder hands out a view on a buffer that it goes on using (a Buffer, where there are such:
  // its slice() is a view too).
  return new Uint8Array(encoder.encode(value));
}

/** @throws FrameError */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new FrameError(`not CBOR: ${messageOf(error)}`);
  }
}

export function packMessages(messages: readonly Message[]): unknown[] {
  return messages.map(packMessage);
}

/** @throws FrameError when anything in it is not as it must be */
export function unpackMessages(value: unknown): Message[] {
  if (!Array.isArray(value)) throw new FrameError('messages are not a list');
  return value.map(unpackMessage);
}

function packMessage(message: Message): unknown[] {
  const code = CODE_OF.get(message.type) as number;
  const { fields } = LAYOUTS[code] as (typeof LAYOUTS)[number];
  const source = message as unknown as Record<string, unknown>;
  const packed: unknown[] = [code];
  for (const [name, kind] of fields) {
    packed.push(kind === 'e' ? packEntries(source[name] as Entry[]) : source[name]);
  }
  return packed;
}

function unpackMessage(value: unknown): Message {
  if (!Array.isArray(value)) throw new FrameError('a message is not a list');
  const known = isCount(value[0]) ? LAYOUTS[value[0]] : undefined;
  if (!known) throw new FrameError(`unknown message type ${String(value[0])}`);
  const message: Record<string, unknown> = { type: known.type };
  known.fields.forEach(([name, kind], at) => {
    message[name] = unpackField(`${known.type}.${name}`, kind, value[at + 1]);
  });
  return message as unknown as Message;
}

function unpackField(name: string, kind: Field[1], value: unknown): unknown {
  const fits =
    (kind === 's' && typeof value === 'string') ||
    (kind === 'n' && isCount(value)) ||
    (kind === 'n?' && (value === null || isCount(value))) ||
    (kind === 'b' && typeof value === 'boolean') ||
    (kind === 'b?' && (value === undefined || typeof value === 'boolean')) ||
    (kind === 'm' && isSnapshotMeta(value)) ||
    ((kind === 'e' || kind === 'p') && Array.isArray(value));
  if (!fits) throw new FrameError(`${name} is missing or of the wrong type`);
  if (kind === 'b?') return value ?? false;
  if (kind === 'e') return unpackEntries(name, value as unknown[]);
  if (kind === 'p') return (value as unknown[]).map((item) => bytesOf(name, item));
  return value;
}

/**
 * The first index, then one byte string with (term, kind, data) of each: indexes of entries in a
 * message are contiguous. A binary record, because CBOR of so many small items costs ten times as
 * much on both sides.
 */
function packEntries(entries: readonly Entry[]): unknown[] {
  const size = entries.reduce((sum, { data }) => sum + data.length + ENTRY_HEAD_BYTES_MAX, 0);
  const writer = new BinaryWriter(size);
  for (const { term, kind, data } of entries) writer.varint(term).varint(kind).bytes(data);
  return [entries[0]?.index ?? 0, writer.finish()];
}

/** Term and length as varints of at most eight bytes, and the kind. */
const ENTRY_HEAD_BYTES_MAX = 17;

/** The entries' data are views on one copy: they are kept together in the log's cache. */
function unpackEntries(name: string, packed: readonly unknown[]): Entry[] {
  const [first, bytes] = packed;
  if (!isCount(first)) throw new FrameError(`${name} is malformed`);
  const entries: Entry[] = [];
  try {
    const reader = new BinaryReader(bytesOf(name, bytes));
    for (let index = first; !reader.done; index++) {
      const term = reader.varint();
      const kind = reader.varint();
      if (!ENTRY_KINDS.includes(kind)) throw new FrameError(`${name} has the kind ${kind}`);
      entries.push({ index, term, kind: kind as EntryKind, data: reader.bytes() });
    }
  } catch (error) {
    if (error instanceof FrameError) throw error;
    throw new FrameError(`${name} is malformed`);
  }
  return entries;
}

function bytesOf(name: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array))
    throw new FrameError(`${name} holds something else than bytes`);
  return ownBytes(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** What a snapshot is the state of: taken over as it is, so every part of it is looked at. */
function isSnapshotMeta(value: unknown): value is SnapshotMeta {
  if (typeof value !== 'object' || value === null) return false;
  const { index, term, confState } = value as Partial<SnapshotMeta>;
  return isCount(index) && isCount(term) && isConfState(confState);
}

function isConfState(value: unknown): value is ConfState {
  if (typeof value !== 'object' || value === null) return false;
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = value as Partial<ConfState>;
  const groups = [voters, votersOutgoing, learners, learnersNext];
  const isGroup = (ids: unknown) => Array.isArray(ids) && ids.every((id) => typeof id === 'string');
  return groups.every(isGroup) && typeof autoLeave === 'boolean';
}
