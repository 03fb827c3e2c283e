import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { utf8 } from '../lib/bytes.ts';
import { schemaMismatch } from '../lib/schema.ts';
import { type ChainSum, NO_CHAIN } from './chain.ts';
import { Origins } from './origins.ts';
import { STATE_SCHEMA_VERSION } from './schema.ts';
import type { StateStore } from './store.ts';

export const META_KEY = utf8('meta');

/** A compaction of rows that is under way. */
export interface CompactionProgress {
  /** The compact revision that it works towards. */
  readonly revision: number;
  readonly table: 'history' | 'dead';
  /** Rows before this key are done. */
  readonly cursor: Uint8Array;
}

/**
 * What the rows of the other tables are the state of, in one row: written in the same transaction
 * as they are, so that the applied index and its effects can never part.
 */
export interface Meta {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly revision: number;
  /** -1 before the first compaction, as etcd reports it. */
  readonly compactRevision: number;
  /** The compact revision up to which rows are gone. */
  readonly compactedRevision: number;
  readonly progress: CompactionProgress | null;
  /** The checksum over outcomes. */
  readonly chain: ChainSum;
  readonly origins: Origins;
  /** The entry that made the membership what it is; 0: the cluster began with it. */
  readonly confIndex: number;
  /** Live keys. */
  readonly keyCount: number;
}

export function readMeta(store: StateStore): Meta {
  const row = store.get('meta', META_KEY);
  return row === null ? emptyMeta() : decodeMeta(row);
}

/** An empty store is at revision 1, as etcd's. */
function emptyMeta(): Meta {
  return {
    appliedIndex: 0,
    appliedTerm: 0,
    revision: 1,
    compactRevision: -1,
    compactedRevision: -1,
    progress: null,
    chain: NO_CHAIN,
    origins: new Origins(),
    confIndex: 0,
    keyCount: 0,
  };
}

export function encodeMeta(meta: Meta): Uint8Array {
  const writer = new BinaryWriter(256)
    .varint(STATE_SCHEMA_VERSION)
    .varint(meta.appliedIndex)
    .varint(meta.appliedTerm)
    .varint(meta.revision)
    .varint(meta.compactRevision + 1)
    .varint(meta.compactedRevision + 1)
    .varint(meta.chain.definition)
    .varint(meta.chain.base)
    .varint(meta.chain.value);
  const { progress } = meta;
  writer.varint(progress === null ? 0 : progress.table === 'history' ? 1 : 2);
  if (progress) writer.varint(progress.revision).bytes(progress.cursor);
  meta.origins.write(writer);
  writer.varint(meta.confIndex).varint(meta.keyCount);
  return writer.finish();
}

export function decodeMeta(row: Uint8Array): Meta {
  const reader = new BinaryReader(row);
  const mismatch = schemaMismatch(reader.varint(), STATE_SCHEMA_VERSION);
  if (mismatch !== null) throw new Error(mismatch);
  const appliedIndex = reader.varint();
  const appliedTerm = reader.varint();
  const revision = reader.varint();
  const compactRevision = reader.varint() - 1;
  const compactedRevision = reader.varint() - 1;
  const chain = { definition: reader.varint(), base: reader.varint(), value: reader.varint() };
  const progress = readProgress(reader);
  const origins = Origins.read(reader);
  const confIndex = reader.varint();
  const keyCount = reader.varint();
  return {
    appliedIndex,
    appliedTerm,
    revision,
    compactRevision,
    compactedRevision,
    progress,
    chain,
    origins,
    confIndex,
    keyCount,
  };
}

function readProgress(reader: BinaryReader): CompactionProgress | null {
  const table = reader.varint();
  if (table === 0) return null;
  const revision = reader.varint();
  return { revision, table: table === 1 ? 'history' : 'dead', cursor: reader.bytes().slice() };
}
