import { assert, must } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { ownBytes } from '../lib/bytes.ts';
import { crc32c } from '../lib/crc32c.ts';
import type { Entry, EntryKind } from '../raft/message.ts';

/** A row of the log: consecutive entries that became durable together. */
export interface LogBatch {
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly entries: readonly Entry[];
  /** What was known to be committed when it was written. */
  readonly commit: number;
}

const VERSION = 1;
const CHECKSUM_BYTES = 4;
/** Version, commit index and count. */
const ROW_HEAD_BYTES_MAX = 24;
/** Term and length as varints of at most eight bytes, and the kind. */
const ENTRY_HEAD_BYTES_MAX = 17;

/**
 * version, commit, count, then (term, kind, data) for each entry; CRC-32C of all that and the first
 * index at the end.
 */
export function encodeBatch(entries: readonly Entry[], commit: number): Uint8Array {
  const first = must(entries[0], 'an empty batch').index;
  let size = ROW_HEAD_BYTES_MAX + CHECKSUM_BYTES;
  for (const { data } of entries) size += data.length + ENTRY_HEAD_BYTES_MAX;
  const writer = new BinaryWriter(size).varint(VERSION).varint(commit).varint(entries.length);
  for (const { term, kind, data } of entries) writer.varint(term).varint(kind).bytes(data);
  return writer.checksum(first >>> 0).finish();
}

/** @throws InvariantError when the row is damaged: the member must not speak from it. */
export function decodeBatch(firstIndex: number, row: Uint8Array): LogBatch {
  const end = row.length - CHECKSUM_BYTES;
  assert(end > 0, `log row ${firstIndex} is cut short`);
  const checksum = new DataView(row.buffer, row.byteOffset).getUint32(end, true);
  const actual = crc32c(row, firstIndex >>> 0, 0, end);
  assert(checksum === actual, `log row ${firstIndex} is damaged`);
  const reader = new BinaryReader(row.subarray(0, end));
  const version = reader.varint();
  assert(version === VERSION, `log row ${firstIndex} has version ${version}`);
  const commit = reader.varint();
  const count = reader.varint();
  const entries: Entry[] = [];
  for (let index = firstIndex; index < firstIndex + count; index++) {
    const term = reader.varint();
    const kind = reader.varint() as EntryKind;
    entries.push({ index, term, kind, data: ownBytes(reader.bytes()) });
  }
  return { firstIndex, lastIndex: firstIndex + count - 1, entries, commit };
}
