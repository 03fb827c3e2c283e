import { limits } from '../config.ts';
import { packRows, recordsOf } from './history.ts';
import { ALL_KEYS, keyAfter } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import type { KeyRange, Row, StateStore, TableName } from './store.ts';
import { encodeVersion } from './version.ts';

/** What both were when the snapshot was opened: commands that come later raise them. */
export interface Picture {
  readonly revision: number;
  readonly compactRevision: number;
}

/**
 * All rows of the state as of the revision at which it was opened, read lazily while later commands
 * go on. That works because versions are kept: a key that has changed since is followed back to the
 * version it had. Compaction must pause meanwhile.
 */
export function* rowsAt(
  mvcc: Mvcc,
  store: StateStore,
  at: Picture,
  captured: readonly (readonly [TableName, Row])[],
  tree: Generator<readonly [TableName, Row]>,
): Generator<readonly [TableName, Row]> {
  yield* captured;
  yield* tree;
  yield* keyRows(mvcc, at);
  yield* historyRows(store, at.revision);
}

/** The tables kv and dead. A scan must not outlive a change: each page is a scan of its own. */
function* keyRows(
  mvcc: Mvcc,
  { revision, compactRevision }: Picture,
): Generator<readonly [TableName, Row]> {
  let range: KeyRange | null = ALL_KEYS;
  while (range !== null) {
    const page: (readonly [TableName, Row])[] = [];
    let last: Uint8Array | null = null;
    let looked = 0;
    let bytes = 0;
    let more = false;
    for (const newest of mvcc.newestOfAll(range)) {
      last = newest.key;
      const version = mvcc.versionAt(newest, revision);
      if (version !== null && !(version.deleted && version.modRevision <= compactRevision)) {
        const row = { key: newest.key, value: encodeVersion(version) };
        page.push([version.deleted ? 'dead' : 'kv', row]);
        bytes += row.key.length + row.value.length;
      }
      more = ++looked >= limits.scanPageRowsMax || bytes >= limits.scanPageBytes;
      if (more) break;
    }
    range = more && last !== null ? { start: keyAfter(last), end: null } : null;
    yield* page;
  }
}

/** The table history, each row cut after the revision: rows may have grown since. */
function* historyRows(store: StateStore, revision: number): Generator<readonly [TableName, Row]> {
  let start: Uint8Array = new Uint8Array(0);
  for (;;) {
    const row: Row | undefined = store.scan('history', { start, end: null }, 1)[0];
    if (row === undefined) return;
    const records = recordsOf(row.value);
    const kept = records.filter((record) => record.revision <= revision);
    if (kept.length === records.length) yield ['history', row];
    else for (const packed of packRows(kept)) yield ['history', packed];
    if (kept.length < records.length) return;
    start = keyAfter(row.key);
  }
}
