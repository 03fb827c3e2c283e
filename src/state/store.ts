/**
 * The ordered tables that the state machine lives in. One implementation is SQLite in a Durable
 * Object (storage/), another a map in memory (tests, the simulator). Synchronous. Writes become
 * durable together, at the commit of the turn in which they are made.
 */

/**
 * kv: the newest version of each live key. dead: keys whose newest version is a deletion, until
 * compacted. history: versions in revision order, packed. v2: the tree of the v2 API; v2_kept: rows
 * of it as they were, for pictures that are being read. All others are small tables.
 */
export const TABLES = [
  'kv',
  'dead',
  'history',
  'lease',
  'alarm',
  'member',
  'meta',
  'auth',
  'token',
  'version',
  'v2',
  'v2_kept',
] as const;
export type TableName = (typeof TABLES)[number];

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A range of keys: from `start` inclusive to `end` exclusive; null: to the end of the table. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
}

export interface StateStore {
  /** The value, as bytes that the caller may keep; null when there is no such row. */
  get(table: TableName, key: Uint8Array): Uint8Array | null;
  /**
   * Rows in key order (descending with `reverse`), at most `limit`. A finished list: no cursor
   * stays open.
   */
  scan(table: TableName, range: KeyRange, limit: number, reverse?: boolean): Row[];
  /** The number of rows in the range. */
  count(table: TableName, range: KeyRange): number;
  /** Inserts or replaces rows: one row written for each. */
  put(table: TableName, rows: readonly Row[]): void;
  delete(table: TableName, keys: readonly Uint8Array[]): void;
  /** Empties a table at no cost in rows. */
  clear(table: TableName): void;
  /** Bytes in use, for quota and status. */
  sizeBytes(): number;

  /**
   * A second set of the same tables, to receive a snapshot without touching the live one.

   */
  stagePut(table: TableName, rows: readonly Row[]): void;
  stageClear(): void;
  /** Replaces the live tables by the staged ones; the staged set is empty afterwards. */
  stageInstall(): void;
}
