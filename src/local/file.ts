import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { SNAPSHOT_HASH_BYTES } from '../api/snapshot_file.ts';

const READ_BYTES = 1024 * 1024;

/** So many bytes from there, or fewer at the end of the file. */
export function readAt(file: number, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const got = readSync(file, bytes, done, length - done, at + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

/** The SHA-256 of the file's first bytes, in hex. */
export function hashOf(file: number, end: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < end; at += READ_BYTES) {
    hash.update(readAt(file, at, Math.min(READ_BYTES, end - at)));
  }
  return hash.digest('hex');
}

/** Whether the hash of the file's first bytes follows them. */
export function hasHash(file: number, end: number): boolean {
  const stored = readAt(file, Math.max(0, end), SNAPSHOT_HASH_BYTES);
  return Buffer.from(stored).toString('hex') === hashOf(file, end);
}
