/** A value that SQLite in a Durable Object takes or gives (no BigInt: integers are doubles). */
export type SqlValue = ArrayBuffer | Uint8Array | string | number | null;

/** The counters that the platform bills. */
export interface SqlCounters {
  rowsRead: number;
  rowsWritten: number;
}

/**
 * The part of the platform's `ctx.storage.sql` that is used, so that tests may bring another
 * SQLite.
 */
export interface SqlBackend {
  exec(query: string, ...bindings: SqlValue[]): SqlCursor;
  readonly databaseSize: number;
}

export interface SqlCursor {
  raw(): Iterable<SqlValue[]>;
  /** By the names of columns. */
  toArray(): Record<string, SqlValue>[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/**
 * SQL with its costs counted. Query texts must be few and constant (the platform caches statements
 * by text); results are complete lists, because an open cursor sees later writes.
 */
export class Sql {
  readonly #backend: SqlBackend;
  readonly counters: SqlCounters = { rowsRead: 0, rowsWritten: 0 };

  constructor(backend: SqlBackend) {
    this.#backend = backend;
  }

  /**
   * A statement without result: the platform has run it when `exec` returns. (Of one with a result
   * it would keep a cursor open, and with it the table.)
   */
  run(query: string, ...bindings: SqlValue[]): void {
    this.#count(this.#backend.exec(query, ...bindings));
  }

  rows(query: string, ...bindings: SqlValue[]): SqlValue[][] {
    const cursor = this.#backend.exec(query, ...bindings);
    const rows = [...cursor.raw()];
    this.#count(cursor);
    return rows;
  }

  /**
   * The first row, or null; its columns must have names of their own. In one call: an iterator
   * crosses into the platform and back three times for one row, as dear as finding it.
   */
  row(query: string, ...bindings: SqlValue[]): SqlValue[] | null {
    const cursor = this.#backend.exec(query, ...bindings);
    const [first] = cursor.toArray();
    this.#count(cursor);
    return first === undefined ? null : Object.values(first);
  }

  #count({ rowsRead, rowsWritten }: SqlCursor): void {
    this.counters.rowsRead += rowsRead;
    this.counters.rowsWritten += rowsWritten;
  }

  get databaseBytes(): number {
    return this.#backend.databaseSize;
  }
}

/** A BLOB of a result. */
export function blobOf(value: SqlValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer);
}
