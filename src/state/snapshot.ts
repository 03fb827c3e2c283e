import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { crc32c } from '../lib/crc32c.ts';
import { schemaMismatch } from '../lib/schema.ts';
import { STATE_SCHEMA_VERSION } from './schema.ts';
import { type Row, type StateStore, TABLES, type TableName } from './store.ts';

/** The bytes that came are not a whole snapshot, or not one of ours. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/**
 * Kinds of records: the first, the last, and rows by table. New tables get new numbers at the end.
 */
const HEADER = 0;
const TRAILER = 1;
const FIRST_TABLE = 2;

/** What a snapshot is the state of. */
export interface SnapshotPlace {
  readonly index: number;
  readonly term: number;
}

/** An installed snapshot has taken the place of what was being read. */
export class SnapshotClosedError extends Error {
  override readonly name = 'SnapshotClosedError';

  constructor() {
    super('reading a closed snapshot');
  }
}

/**
 * Writes a snapshot as chunks: a header, rows, and a trailer that counts and checks all before it.
 */
export class SnapshotWriter {
  readonly #place: SnapshotPlace;
  readonly #rows: Iterator<readonly [TableName, Row]>;
  #state: 'header' | 'rows' | 'done' = 'header';
  #rowCount = 0;
  #checksum = 0;

  constructor(place: SnapshotPlace, rows: Iterator<readonly [TableName, Row]>) {
    this.#place = place;
    this.#rows = rows;
  }

  /** The next chunk, at most limits.snapshotChunkBytes and one row; null after the last. */
  next(): Uint8Array | null {
    if (this.#state === 'done') return null;
    const writer = new BinaryWriter(64 * 1024);
    if (this.#state === 'header') {
      const { index, term } = this.#place;
      writer.varint(HEADER).varint(STATE_SCHEMA_VERSION).varint(index).varint(term);
      this.#state = 'rows';
    }
    while (writer.length < limits.snapshotChunkBytes) {
      const row = this.#rows.next();
      if (row.done) return this.#finish(writer);
      const [table, { key, value }] = row.value;
      writer
        .varint(FIRST_TABLE + TABLES.indexOf(table))
        .bytes(key)
        .bytes(value);
      this.#rowCount++;
    }
    const chunk = writer.finish();
    this.#checksum = crc32c(chunk, this.#checksum);
    return chunk;
  }

  #finish(writer: BinaryWriter): Uint8Array {
    this.#state = 'done';
    this.#checksum = crc32c(writer.finish(), this.#checksum);
    return writer.varint(TRAILER).varint(this.#rowCount).varint(this.#checksum).finish();
  }
}

/** Writes the chunks of a snapshot into the store's staging tables, in order. */
export class SnapshotReceiver {
  readonly #store: Pick<StateStore, 'stagePut'>;
  #place: SnapshotPlace | null = null;
  #rowCount = 0;
  #checksum = 0;
  #complete = false;

  constructor(store: Pick<StateStore, 'stagePut'>) {
    this.#store = store;
  }

  /**
   * @throws SnapshotError when the chunk does not continue a snapshot; nothing is installed by it
   */
  write(chunk: Uint8Array): void {
    refuseIf(this.#complete, 'bytes after the end');
    const rows = new Map<TableName, Row[]>();
    try {
      this.#read(new BinaryReader(chunk), chunk, rows);
    } catch (error) {
      if (error instanceof SnapshotError) throw error;
      throw new SnapshotError(`malformed chunk: ${String(error)}`);
    }
    for (const [table, list] of rows) this.#store.stagePut(table, list);
  }

  /** What the whole snapshot is the state of. @throws SnapshotError when it is not whole */
  finish(): SnapshotPlace {
    if (!this.#complete || this.#place === null) throw new SnapshotError('snapshot is cut short');
    return this.#place;
  }

  #read(reader: BinaryReader, chunk: Uint8Array, rows: Map<TableName, Row[]>): void {
    while (!reader.done) {
      const start = reader.offset;
      const kind = reader.varint();
      if (kind === TRAILER) {
        this.#checksum = crc32c(chunk.subarray(0, start), this.#checksum);
        refuseIf(reader.varint() !== this.#rowCount, 'rows are missing');
        refuseIf(reader.varint() !== this.#checksum, 'checksum differs');
        refuseIf(!reader.done, 'bytes after the end');
        this.#complete = true;
        return;
      }
      refuseIf((kind === HEADER) !== (this.#place === null), 'out of order');
      if (kind === HEADER) {
        const mismatch = schemaMismatch(reader.varint(), STATE_SCHEMA_VERSION);
        refuseIf(mismatch !== null, mismatch ?? '');
        this.#place = { index: reader.varint(), term: reader.varint() };
        continue;
      }
      const table = TABLES[kind - FIRST_TABLE];
      if (table === undefined) throw new SnapshotError(`no table ${kind}`);
      const list = rows.get(table) ?? [];
      rows.set(table, list);
      list.push({ key: reader.bytes().slice(), value: reader.bytes().slice() });
      this.#rowCount++;
    }
    this.#checksum = crc32c(chunk, this.#checksum);
  }
}

function refuseIf(when: boolean, message: string): void {
  if (when) throw new SnapshotError(message);
}

assert(limits.snapshotChunkBytes > 0, 'a chunk has room for something');
