import { closeSync, fstatSync, openSync } from 'node:fs';
import {
  CHUNK_PREFIX_BYTES,
  chunkLength,
  readSnapshotHead,
  SNAPSHOT_HASH_BYTES,
  SNAPSHOT_HEAD_BYTES_MAX,
  SnapshotFileError,
  type SnapshotInfo,
} from '../api/snapshot_file.ts';
import { StartError, systemCode } from './error.ts';
import { hashOf, readAt } from './file.ts';
import type { SnapshotSource } from './snapshot_source.ts';

/** A snapshot on disk, which may be larger than memory. Its hash has been checked. */
export class StoredSnapshot implements SnapshotSource {
  readonly info: SnapshotInfo;
  readonly bytes: number;
  readonly #file: number;
  readonly #headBytes: number;

  private constructor(file: number, bytes: number, info: SnapshotInfo, headBytes: number) {
    this.#file = file;
    this.bytes = bytes;
    this.info = info;
    this.#headBytes = headBytes;
  }

  /** @throws StartError when it is not a whole snapshot of a format that is known */
  static open(path: string): StoredSnapshot {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch (error) {
      throw new StartError(`cannot read ${path}: ${systemCode(error) ?? String(error)}`);
    }
    try {
      const { size } = fstatSync(file);
      const { info, headBytes } = readSnapshotHead(readAt(file, 0, SNAPSHOT_HEAD_BYTES_MAX));
      checkHash(file, size);
      return new StoredSnapshot(file, size, info, headBytes);
    } catch (error) {
      closeSync(file);
      if (!(error instanceof SnapshotFileError)) throw error;
      throw new StartError(`${path}: ${error.message}`);
    }
  }

  get title(): string {
    const { revision, cluster, version } = this.info;
    return `revision ${revision} of cluster ${cluster}, by ${version}`;
  }

  /** The chunks of the state. */
  *chunks(): Generator<Uint8Array> {
    const end = this.bytes - SNAPSHOT_HASH_BYTES;
    for (let at = this.#headBytes; at < end; ) {
      const length = chunkLength(readAt(this.#file, at, CHUNK_PREFIX_BYTES));
      yield readAt(this.#file, at + CHUNK_PREFIX_BYTES, length);
      at += CHUNK_PREFIX_BYTES + length;
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** etcd's words, for those who search for them. */
function checkHash(file: number, size: number): void {
  const end = size - SNAPSHOT_HASH_BYTES;
  const actual = hashOf(file, end);
  const stored = readAt(file, Math.max(0, end), SNAPSHOT_HASH_BYTES);
  const expected = Buffer.from(stored).toString('hex');
  if (actual === expected) return;
  throw new SnapshotFileError(`expected sha256 ${expected}, got ${actual}: the file is not whole`);
}
