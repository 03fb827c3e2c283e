import type { KeyRange, Row, StateStore, TableName } from '../state/store.ts';
import type { MetaTable } from './meta.ts';
import { blobOf, type Sql } from './sql.ts';

/**
 * The state machine's tables in SQLite. Each is (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID, which
 * costs one row written per put; BLOB order is etcd's key order.
 *
 * Table names carry a generation: a snapshot is received into the next generation, and installing
 * it is dropping the old tables (which costs no rows) and raising one number.
 */
export class SqlStateStore implements StateStore {
  readonly #sql: Sql;
  readonly #meta: MetaTable;
  readonly #tables: readonly TableName[];
  readonly #otherBytes: () => number;
  #generation: number;
  /** Bytes of rows staged since the staged tables were made. */
  #stagedBytes = 0;
  #queries: Map<TableName, Queries>;

  /** @param otherBytes what else is in the database: see {@link sizeBytes} */
  constructor(sql: Sql, meta: MetaTable, tables: readonly TableName[], otherBytes = () => 0) {
    this.#tables = tables;
    this.#sql = sql;
    this.#meta = meta;
    this.#otherBytes = otherBytes;
    this.#generation = meta.number('stateGeneration') ?? 0;
    // Nothing continues a transfer that an earlier instance was receiving.
    this.#dropStaged();
    this.#queries = this.#create(this.#generation);
  }

  get(table: TableName, key: Uint8Array): Uint8Array | null {
    const row = this.#sql.row(this.#of(table).get, key);
    return row ? blobOf(row[0]) : null;
  }

  scan(table: TableName, range: KeyRange, limit: number, reverse = false): Row[] {
    const queries = this.#of(table);
    const { start, end } = range;
    const rows =
      end === null
        ? this.#sql.rows(reverse ? queries.scanFromDown : queries.scanFrom, start, limit)
        : this.#sql.rows(reverse ? queries.scanDown : queries.scan, start, end, limit);
    return rows.map(([key, value]) => ({ key: blobOf(key), value: blobOf(value) }));
  }

  count(table: TableName, { start, end }: KeyRange): number {
    const queries = this.#of(table);
    const row =
      end === null
        ? this.#sql.row(queries.countFrom, start)
        : this.#sql.row(queries.count, start, end);
    return Number(row?.[0] ?? 0);
  }

  put(table: TableName, rows: readonly Row[]): void {
    this.#insert(this.#of(table), rows);
  }

  delete(table: TableName, keys: readonly Uint8Array[]): void {
    const { remove } = this.#of(table);
    for (const key of keys) this.#sql.run(remove, key);
  }

  clear(table: TableName): void {
    this.#recreate(this.#of(table).name);
  }

  /**
   * Of the live tables. The platform counts a page that was freed as gone at once; the log, which
   * etcd keeps outside of its database too, and a snapshot on its way in are taken off.
   */
  sizeBytes(): number {
    return Math.max(0, this.#sql.databaseBytes - this.#otherBytes() - this.#stagedBytes);
  }

  stagePut(table: TableName, rows: readonly Row[]): void {
    const queries = queriesOf(nameOf(table, this.#generation + 1));
    this.#sql.run(schemaOf(queries.name));
    this.#insert(queries, rows);
    for (const { key, value } of rows) this.#stagedBytes += key.length + value.length;
  }

  stageClear(): void {
    this.#dropStaged();
  }

  stageInstall(): void {
    for (const table of this.#tables) {
      this.#sql.run(`DROP TABLE IF EXISTS ${nameOf(table, this.#generation)}`);
    }
    this.#generation++;
    this.#stagedBytes = 0;
    this.#meta.set('stateGeneration', this.#generation);
    this.#queries = this.#create(this.#generation);
  }

  #of(table: TableName): Queries {
    return this.#queries.get(table) as Queries;
  }

  /**
   * One by one: for an INSERT of several rows SQLite first writes every page that it changes to a
   * journal of its own, so that it could take back the statement alone.
   */
  #insert({ insert }: Queries, rows: readonly Row[]): void {
    for (const { key, value } of rows) this.#sql.run(insert, key, value);
  }

  #dropStaged(): void {
    for (const table of this.#tables) {
      this.#sql.run(`DROP TABLE IF EXISTS ${nameOf(table, this.#generation + 1)}`);
    }
    this.#stagedBytes = 0;
  }

  #recreate(name: string): void {
    this.#sql.run(`DROP TABLE IF EXISTS ${name}`);
    this.#sql.run(schemaOf(name));
  }

  #create(generation: number): Map<TableName, Queries> {
    const queries = new Map<TableName, Queries>();
    for (const table of this.#tables) {
      const name = nameOf(table, generation);
      this.#sql.run(schemaOf(name));
      queries.set(table, queriesOf(name));
    }
    return queries;
  }
}

type Queries = ReturnType<typeof queriesOf>;

function nameOf(table: TableName, generation: number): string {
  return `state_${table}_${generation}`;
}

function schemaOf(name: string): string {
  return `CREATE TABLE IF NOT EXISTS ${name} (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID`;
}

function queriesOf(name: string) {
  const from = `FROM ${name} WHERE k >= ?`;
  const between = `${from} AND k < ?`;
  return {
    name,
    get: `SELECT v FROM ${name} WHERE k = ?`,
    scan: `SELECT k, v ${between} ORDER BY k LIMIT ?`,
    scanDown: `SELECT k, v ${between} ORDER BY k DESC LIMIT ?`,
    scanFrom: `SELECT k, v ${from} ORDER BY k LIMIT ?`,
    scanFromDown: `SELECT k, v ${from} ORDER BY k DESC LIMIT ?`,
    count: `SELECT count(*) ${between}`,
    countFrom: `SELECT count(*) ${from}`,
    insert: `INSERT OR REPLACE INTO ${name} VALUES (?, ?)`,
    remove: `DELETE FROM ${name} WHERE k = ?`,
  };
}
