import { limits } from '../config.ts';
import { BinaryWriter } from '../lib/binary.ts';
import { crc32c } from '../lib/crc32c.ts';
import { ALL_KEYS, keyAfter } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import type { KeyRange } from './store.ts';
import { sizeOf, type Version } from './version.ts';

export interface KvHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/**
 * A checksum over the keys that are live at a revision, in key order, with everything that a read
 * can see of them. It depends on no layout: members agree whatever each has compacted or packed.
 *
 * Worked off in slices with commands in between, which change nothing of it: a key that has changed
 * since is followed back to the version it had. So the removal of compacted rows must pause
 * meanwhile (see StateMachine.openHash), and the compact revision is that of the beginning.
 */
export class KvHasher {
  readonly #mvcc: Mvcc;
  readonly #revision: number;
  readonly #compactRevision: number;
  #rest: KeyRange | null = ALL_KEYS;
  #hash = 0;

  /** @param revision 0 for the newest. @throws EtcdError outside of what can be read */
  constructor(mvcc: Mvcc, revision: number) {
    this.#mvcc = mvcc;
    this.#revision = revision > 0 ? revision : mvcc.revision;
    this.#compactRevision = mvcc.compactRevision;
    mvcc.checkReadable(this.#revision);
  }

  /** A bounded number of keys more; null while there are others. */
  next(): KvHash | null {
    if (this.#rest !== null) this.#rest = this.#slice(this.#rest);
    if (this.#rest !== null) return null;
    const hashRevision = this.#revision;
    return { hash: this.#hash, compactRevision: this.#compactRevision, hashRevision };
  }

  /** Returns what is left of the range. */
  #slice(range: KeyRange): KeyRange | null {
    const page: Version[] = [];
    let bytes = 0;
    for (const newest of this.#mvcc.newestOfAll(range)) {
      page.push(newest);
      bytes += sizeOf(newest);
      if (page.length >= limits.hashSliceKeysMax || bytes >= limits.scanPageBytes) break;
    }
    for (const version of this.#mvcc.versionsAt(page, this.#revision)) {
      if (version !== null && !version.deleted) this.#add(version);
    }
    const last = page.at(-1);
    const isEnd = page.length < limits.hashSliceKeysMax && bytes < limits.scanPageBytes;
    return isEnd || last === undefined ? null : { start: keyAfter(last.key), end: null };
  }

  #add(version: Version): void {
    const record = new BinaryWriter(64 + version.key.length + version.value.length)
      .bytes(version.key)
      .varint(version.createRevision)
      .varint(version.modRevision)
      .varint(version.sub)
      .varint(version.version)
      .int64(version.lease)
      .bytes(version.value);
    this.#hash = crc32c(record.finish(), this.#hash);
  }
}
