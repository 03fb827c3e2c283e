import { decodeBase64, encodeBase64 } from '../api/base64.ts';
import type { StreamWatch } from './stream.ts';
import type { WatchSpec } from './watcher.ts';

/** A stream as JSON, small: what another instance of the member needs to go on with it. */
export interface SavedStream {
  readonly nextId: string;
  readonly watches: readonly SavedWatch[];
}

/** Id, key and end in base64, the next revision, and the flags below. */
export type SavedWatch = readonly [
  id: string,
  key: string,
  rangeEnd: string,
  next: number,
  flags: number,
];

const PREV_KV = 1;
const NO_PUT = 2;
const NO_DELETE = 4;
const PROGRESS_NOTIFY = 8;
const FRAGMENT = 16;

export function encodeWatch(id: bigint, watch: StreamWatch, next: number): SavedWatch {
  const { spec, progressNotify, fragment } = watch;
  const flags =
    (spec.prevKv ? PREV_KV : 0) |
    (spec.noPut ? NO_PUT : 0) |
    (spec.noDelete ? NO_DELETE : 0) |
    (progressNotify ? PROGRESS_NOTIFY : 0) |
    (fragment ? FRAGMENT : 0);
  const rangeEnd = encodeBase64(spec.rangeEnd ?? new Uint8Array(0));
  return [String(id), encodeBase64(spec.key), rangeEnd, next, flags];
}

/**
 * The new instance may not have applied yet what the old one has sent: the watch begins at `next`,
 * be it in the past or in the future.
 */
export function decodeWatch([id, key, rangeEnd, next, flags]: SavedWatch) {
  const has = (flag: number) => (flags & flag) !== 0;
  const spec: WatchSpec = {
    key: decodeBase64(key),
    rangeEnd: decodeBase64(rangeEnd),
    startRevision: next,
    prevKv: has(PREV_KV),
    noPut: has(NO_PUT),
    noDelete: has(NO_DELETE),
  };
  return { id: BigInt(id), spec, progressNotify: has(PROGRESS_NOTIFY), fragment: has(FRAGMENT) };
}
