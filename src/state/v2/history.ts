import { V2_ACTIONS, type V2Event, type V2Node } from '../../api/v2/event.ts';
import { limits } from '../../config.ts';
import { assert, must } from '../../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../../lib/binary.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import type { OverlayTable } from '../overlay_table.ts';
import { eventKey, INDEX_KEY } from './rows.ts';

/** An empty store is where etcd's is after a first member has begun: the first write gets 4. */
const FIRST_INDEX = 3;

/** An event in the history; keys are paths of the whole tree. */
export interface PastEvent extends V2Event {
  readonly index: number;
  /** Nobody is told of it. */
  readonly isRefresh: boolean;
}

/**
 * The index of the store and its last events: a ring of rows, one for each index, so that a new
 * event takes the row of the oldest.
 */
export class History {
  readonly #table: OverlayTable<Uint8Array>;

  constructor(table: OverlayTable<Uint8Array>) {
    this.#table = table;
  }

  /** Of the newest event. */
  get index(): number {
    return this.#totals.index;
  }

  /** Of the oldest event that is kept. */
  get firstIndex(): number {
    return Math.max(1, this.index - limits.v2HistoryEvents + 1);
  }

  /** The event at an index of the history; null: the store began after it. */
  at(index: number): PastEvent | null {
    assert(index >= this.firstIndex && index <= this.index, `no history at ${index}`);
    const slot = index % limits.v2HistoryEvents;
    const row = this.#table.get(eventKey(slot, 0));
    if (row === null) return null;
    const event = decodeEvent(row, () => this.#table.get(eventKey(slot, 1)));
    return event.index === index ? event : null;
  }

  /** The next event. @returns its row, as all members have it */
  add(event: PastEvent): Uint8Array {
    const { index, twoRows } = this.#totals;
    assert(event.index === index + 1, `event ${event.index} after ${index}`);
    const slot = event.index % limits.v2HistoryEvents;
    const node = encodeEvent(event);
    const before = event.prevNode === null ? null : encodeNode(event.prevNode);
    const isSplit = before !== null && node.length + before.length > limits.v2EventRowBytes;
    const wasSplit = twoRows > 0 && this.#table.get(eventKey(slot, 1)) !== null;
    const row = isSplit || before === null ? node : join(node, before);
    this.#set(eventKey(slot, 0), row);
    if (isSplit) this.#set(eventKey(slot, 1), before);
    else if (wasSplit) this.#table.set(eventKey(slot, 1), null, EMPTY_BYTES);
    const split = twoRows + (isSplit ? 1 : 0) - (wasSplit ? 1 : 0);
    this.#set(INDEX_KEY, new BinaryWriter(12).varint(event.index).varint(split).finish());
    return row;
  }

  /** @property twoRows events whose node before is in a row of its own */
  get #totals(): { readonly index: number; readonly twoRows: number } {
    const row = this.#table.get(INDEX_KEY);
    if (row === null) return { index: FIRST_INDEX, twoRows: 0 };
    const reader = new BinaryReader(row);
    return { index: reader.varint(), twoRows: reader.varint() };
  }

  #set(key: Uint8Array, row: Uint8Array): void {
    this.#table.set(key, row, this.#table.get(key));
  }
}

const FLAGS = { refresh: 1, before: 2 } as const;

function encodeEvent({ action, node, prevNode, index, isRefresh }: PastEvent): Uint8Array {
  const flags = (isRefresh ? FLAGS.refresh : 0) | (prevNode === null ? 0 : FLAGS.before);
  return new BinaryWriter(64 + (node.value?.length ?? 0))
    .varint(index)
    .varint(V2_ACTIONS.indexOf(action))
    .varint(flags)
    .bytes(encodeNode(node))
    .finish();
}

function join(node: Uint8Array, before: Uint8Array): Uint8Array {
  const row = new Uint8Array(node.length + before.length);
  row.set(node);
  row.set(before, node.length);
  return row;
}

/** @param other the second row, where the first has no node before */
function decodeEvent(row: Uint8Array, other: () => Uint8Array | null): PastEvent {
  const reader = new BinaryReader(row);
  const index = reader.varint();
  const action = must(V2_ACTIONS[reader.varint()], 'an event has an action');
  const flags = reader.varint();
  const node = decodeNode(reader.bytes());
  const rest = reader.done ? null : row.subarray(reader.offset);
  const hasBefore = (flags & FLAGS.before) !== 0;
  const prevNode = hasBefore ? decodeNode(must(rest ?? other(), 'a row is missing')) : null;
  return { index, action, node, prevNode, isRefresh: (flags & FLAGS.refresh) !== 0 };
}

function encodeNode(node: V2Node): Uint8Array {
  const writer = new BinaryWriter(48 + node.key.length + (node.value?.length ?? 0))
    .text(node.key)
    .varint((node.dir ? 1 : 0) | (node.value === null ? 0 : 2))
    .varint(node.expirationMs)
    .int64(BigInt(node.ttlSeconds))
    .varint(node.modifiedIndex)
    .varint(node.createdIndex);
  if (node.value !== null) writer.text(node.value);
  return writer.finish();
}

function decodeNode(row: Uint8Array): V2Node {
  const reader = new BinaryReader(row);
  const key = reader.text();
  const flags = reader.varint();
  return {
    key,
    dir: (flags & 1) !== 0,
    expirationMs: reader.varint(),
    ttlSeconds: Number(reader.int64()),
    modifiedIndex: reader.varint(),
    createdIndex: reader.varint(),
    value: (flags & 2) !== 0 ? reader.text() : null,
    nodes: [],
  };
}
