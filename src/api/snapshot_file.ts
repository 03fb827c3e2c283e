import { concatBytes, textOf, utf8 } from '../lib/bytes.ts';

/**
 * The file that /v3/maintenance/snapshot sends and `npm run restore` reads:
 *
 *   the line `edgetcd snapshot 1`, whose number is the format's
 *   one line of JSON: {@link SnapshotInfo}
 *   chunks of the state, each after its length in four bytes, little-endian
 *   the 32 bytes of the SHA-256 of everything before them, as etcd's snapshots end too
 *
 * Of what chunks consist is the state machine's business (state/snapshot.ts).
 */
const NAME = 'edgetcd snapshot ';
export const SNAPSHOT_FORMAT = 1;
export const SNAPSHOT_HASH_BYTES = 32;
/** The longest beginning: the two lines. */
export const SNAPSHOT_HEAD_BYTES_MAX = 1_024;
export const CHUNK_PREFIX_BYTES = 4;

/** What the state is of, for people and for those that restore it. */
export interface SnapshotInfo {
  /** The release that wrote it. */
  readonly version: string;
  /** The cluster's id in hex. */
  readonly cluster: string;
  readonly revision: number;
  readonly index: number;
  readonly term: number;
}

/** The file is not one of ours, or not whole. */
export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
}

export function snapshotHead(info: SnapshotInfo): Uint8Array {
  return utf8(`${NAME}${SNAPSHOT_FORMAT}\n${JSON.stringify(info)}\n`);
}

/** A chunk as it is in the file. */
export function framedChunk(chunk: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(CHUNK_PREFIX_BYTES);
  new DataView(prefix.buffer).setUint32(0, chunk.length, true);
  return concatBytes([prefix, chunk]);
}

/** The length of the chunk behind these four bytes. */
export function chunkLength(prefix: Uint8Array): number {
  return new DataView(prefix.buffer, prefix.byteOffset).getUint32(0, true);
}

/** @param start the file's first bytes. @throws SnapshotFileError */
export function readSnapshotHead(start: Uint8Array): { info: SnapshotInfo; headBytes: number } {
  const text = textOf(start.subarray(0, SNAPSHOT_HEAD_BYTES_MAX));
  if (!text.startsWith(NAME)) throw new SnapshotFileError('not a snapshot of edgetcd');
  const [first = '', second] = text.split('\n', 2);
  const format = first.slice(NAME.length);
  if (format !== String(SNAPSHOT_FORMAT)) {
    throw new SnapshotFileError(`format ${format}, this release knows ${SNAPSHOT_FORMAT}`);
  }
  try {
    const info = JSON.parse(second ?? '') as SnapshotInfo;
    return { info, headBytes: utf8(`${first}\n${second}\n`).length };
  } catch {
    throw new SnapshotFileError('its head is damaged');
  }
}
