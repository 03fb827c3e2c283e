import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import { BinaryWriter } from '../lib/binary.ts';
import type { RecordedVersion } from './recorded_version.ts';
import type { Row } from './store.ts';
import {
  historyKey,
  type Place,
  placeOf,
  recordBytesMax,
  type Version,
  writeRecord,
} from './version.ts';

/**
 * A row of history that is being filled. Its versions live in it from the beginning: nothing is
 * encoded or copied again when it is written to the store, and many versions share one buffer.
 */
export class HistoryRow {
  readonly #first: Place;
  readonly #writer: BinaryWriter;

  /** @param first the version that it begins with */
  constructor(first: Version) {
    this.#first = placeOf(first);
    this.#writer = new BinaryWriter(capacityFor(recordBytesMax(first)));
  }

  get length(): number {
    return this.#writer.length;
  }

  fits(draft: Version): boolean {
    return this.length + recordBytesMax(draft) <= this.#writer.capacity;
  }

  /** The version as it is kept. It must fit. */
  add(draft: Version): RecordedVersion {
    const { capacity } = this.#writer;
    const version = writeRecord(this.#writer, draft);
    assert(this.#writer.capacity === capacity, 'a record that did not fit');
    return version;
  }

  /** Takes back the version that was added last. */
  remove(version: RecordedVersion): void {
    this.#writer.rewind(version.start);
  }

  /** As it is now: what is added later is not in it. */
  get row(): Row {
    assert(this.length <= limits.rowBytesMax, `history row of ${this.length} bytes`);
    return { key: historyKey(this.#first), value: this.#writer.written };
  }
}

/** A version that takes more than half has a row for itself: most of the rest would stay empty. */
function capacityFor(firstBytes: number): number {
  return firstBytes > limits.historyRowBytes / 2 ? firstBytes : limits.historyRowBytes;
}
