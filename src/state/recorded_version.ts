import { EMPTY_BYTES } from '../lib/bytes.ts';
import { crc32c } from '../lib/crc32c.ts';
import type { HistoryRecord, Place, Version } from './version.ts';

/** Where the parts of a record are in its row. */
export interface RecordLayout {
  /** Of the record, place and all. */
  readonly start: number;
  /** Of the part that is kept when the record goes into another row. */
  readonly body: number;
  /** Of what follows the key. */
  readonly content: number;
  /** Behind the value, where the place of the version before is. */
  readonly previous: number;
  readonly end: number;
}

/**
 * A version in the row of history that it was written to. Key and value are views that are made
 * when somebody asks: most versions are only replaced, and such a view costs as much to make, and
 * as much memory, as everything else about a version.
 */
export class RecordedVersion implements Version {
  readonly deleted: boolean;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly sub: number;
  readonly version: number;
  readonly lease: bigint;
  readonly #previousRevision: number;
  readonly #previousSub: number;
  readonly #row: Uint8Array;
  // The layout, field by field: there are many of these objects, and each has one less to hold.
  readonly #start: number;
  readonly #body: number;
  readonly #content: number;
  readonly #previous: number;
  readonly #end: number;
  readonly #keyBytes: number;
  readonly #valueBytes: number;

  /** @param draft what the record was made of; nothing of it is held on to */
  constructor(draft: Version, row: Uint8Array, layout: RecordLayout) {
    this.deleted = draft.deleted;
    this.createRevision = draft.createRevision;
    this.modRevision = draft.modRevision;
    this.sub = draft.sub;
    this.version = draft.version;
    this.lease = draft.lease;
    this.#previousRevision = draft.previous?.revision ?? 0;
    this.#previousSub = draft.previous?.sub ?? 0;
    this.#row = row;
    this.#start = layout.start;
    this.#body = layout.body;
    this.#content = layout.content;
    this.#previous = layout.previous;
    this.#end = layout.end;
    this.#keyBytes = draft.key.length;
    this.#valueBytes = draft.value.length;
  }

  get key(): Uint8Array {
    const end = this.#content;
    return this.#row.subarray(end - this.#keyBytes, end);
  }

  get value(): Uint8Array {
    if (this.#valueBytes === 0) return EMPTY_BYTES;
    const end = this.#previous;
    return this.#row.subarray(end - this.#valueBytes, end);
  }

  get previous(): Place | null {
    if (this.#previousRevision === 0) return null;
    return { revision: this.#previousRevision, sub: this.#previousSub };
  }

  get payloadBytes(): number {
    return this.#keyBytes + this.#valueBytes;
  }

  /** Where the record begins in its row. */
  get start(): number {
    return this.#start;
  }

  get bodyBytes(): number {
    return this.#end - this.#body;
  }

  get record(): HistoryRecord {
    const body = this.#row.subarray(this.#body, this.#end);
    return { revision: this.modRevision, sub: this.sub, body };
  }

  /** Everything behind the key: what a row of the tables kv and dead has in common with it. */
  get contentAndPrevious(): Uint8Array {
    return this.#row.subarray(this.#content, this.#end);
  }

  /**
   * Goes on with a CRC-32C over the part of the record that is the same on every member: where the
   * version before is may depend on what a member has compacted.
   */
  checksum(seed: number): number {
    return crc32c(this.#row, seed, this.#body, this.#previous);
  }
}
