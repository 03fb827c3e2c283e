import { concatBytes, EMPTY_BYTES, equalBytes } from '../lib/bytes.ts';
import { Sha256 } from '../lib/sha256.ts';
import {
  CHUNK_PREFIX_BYTES,
  chunkLength,
  readSnapshotHead,
  SNAPSHOT_HASH_BYTES,
  SNAPSHOT_HEAD_BYTES_MAX,
  SnapshotFileError,
  type SnapshotInfo,
} from './snapshot_file.ts';

/** Takes the file of a snapshot apart while it arrives. */
export class SnapshotStream {
  readonly #hash = new Sha256();
  #info: SnapshotInfo | null = null;
  /** What was received and not taken apart. */
  #rest: Uint8Array = EMPTY_BYTES;

  /** Null until enough has arrived to tell. */
  get info(): SnapshotInfo | null {
    return this.#info;
  }

  /** More of the file. @returns the chunks that are whole by it. @throws SnapshotFileError */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#rest = concatBytes([this.#rest, bytes]);
    // The last bytes may be the hash, which is no chunk.
    return this.#info === null && this.#bodyBytes < SNAPSHOT_HEAD_BYTES_MAX ? [] : this.#chunks();
  }

  /** No more follows. @returns the last chunks. @throws SnapshotFileError when it is not whole */
  finish(): Uint8Array[] {
    const chunks = this.#chunks();
    const isWhole = equalBytes(this.#hash.digest(), this.#rest);
    if (!isWhole) throw new SnapshotFileError('the snapshot is not whole: its hash differs');
    return chunks;
  }

  get #bodyBytes(): number {
    return this.#rest.length - SNAPSHOT_HASH_BYTES;
  }

  #chunks(): Uint8Array[] {
    if (this.#info === null) {
      const { info, headBytes } = readSnapshotHead(this.#rest);
      this.#take(headBytes);
      this.#info = info;
    }
    const chunks: Uint8Array[] = [];
    while (this.#bodyBytes >= CHUNK_PREFIX_BYTES) {
      const end = CHUNK_PREFIX_BYTES + chunkLength(this.#rest);
      if (this.#bodyBytes < end) break;
      chunks.push(this.#rest.subarray(CHUNK_PREFIX_BYTES, end));
      this.#take(end);
    }
    return chunks;
  }

  #take(length: number): void {
    this.#hash.update(this.#rest.subarray(0, length));
    this.#rest = this.#rest.subarray(length);
  }
}
