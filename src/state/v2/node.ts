import { ttlSecondsAt, type V2Node } from '../../api/v2/event.ts';
import { BinaryReader, BinaryWriter } from '../../lib/binary.ts';

/** A file or a directory of the tree as its row has it. */
export interface StoredNode {
  /** Null: a directory. */
  readonly value: string | null;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expirationMs: number;
}

export function encodeStoredNode(node: StoredNode): Uint8Array {
  const writer = new BinaryWriter(32 + (node.value?.length ?? 0))
    .varint(node.value === null ? 1 : 0)
    .varint(node.createdIndex)
    .varint(node.modifiedIndex)
    .varint(node.expirationMs);
  if (node.value !== null) writer.text(node.value);
  return writer.finish();
}

export function decodeStoredNode(row: Uint8Array): StoredNode {
  const reader = new BinaryReader(row);
  const isDirectory = reader.varint() === 1;
  return {
    createdIndex: reader.varint(),
    modifiedIndex: reader.varint(),
    expirationMs: reader.varint(),
    value: isDirectory ? null : reader.text(),
  };
}

/** The node as answers show it at that time. */
export function shown(path: string, node: StoredNode, nowMs: number): V2Node {
  const { value, createdIndex, modifiedIndex, expirationMs } = node;
  return {
    key: path,
    value,
    dir: value === null,
    expirationMs,
    ttlSeconds: ttlSecondsAt(expirationMs, nowMs),
    nodes: [],
    modifiedIndex,
    createdIndex,
  };
}
