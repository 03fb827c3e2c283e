import { schemaMismatch } from '../lib/schema.ts';
import { blobOf, type Sql, type SqlValue } from './sql.ts';

/**
 * The version of all table layouts under storage/ and of the records in them. 2: the log of a
 * cluster begins after index 1. (The state's rows have a version of their own.)
 */
const SCHEMA_VERSION = 2;

/**
 * Single values by name. Schema versions live here because the platform forbids
 * `PRAGMA user_version`.
 */
export class MetaTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.run('CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID');
    const version = this.number('schemaVersion');
    if (version === null) this.set('schemaVersion', SCHEMA_VERSION);
    const mismatch = schemaMismatch(version ?? SCHEMA_VERSION, SCHEMA_VERSION);
    if (mismatch !== null) throw new Error(mismatch);
  }

  number(name: string): number | null {
    const value = this.#get(name);
    return typeof value === 'number' ? value : null;
  }

  text(name: string): string | null {
    const value = this.#get(name);
    return typeof value === 'string' ? value : null;
  }

  bytes(name: string): Uint8Array | null {
    const value = this.#get(name);
    return value === null || typeof value !== 'object' ? null : blobOf(value);
  }

  set(name: string, value: SqlValue): void {
    this.#sql.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', name, value);
  }

  #get(name: string): SqlValue {
    return this.#sql.row('SELECT value FROM meta WHERE name = ?', name)?.[0] ?? null;
  }
}
