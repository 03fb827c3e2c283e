import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { TABLES } from '../../src/state/store.ts';
import { SqlDisk } from '../../src/storage/disk.ts';
import { LogTable } from '../../src/storage/log.ts';
import { MetaTable } from '../../src/storage/meta.ts';
import { Sql, type SqlBackend } from '../../src/storage/sql.ts';
import { SqlStateStore } from '../../src/storage/tables.ts';

/** The database of an object, opened as by an instance that has just started. */
export class Scratch {
  readonly sql: Sql;
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.sql = new Sql(storage.sql as unknown as SqlBackend);
  }

  get meta(): MetaTable {
    return new MetaTable(this.sql);
  }

  log(snapshotIndex = 0): LogTable {
    return new LogTable(this.sql, this.meta, snapshotIndex);
  }

  store(): SqlStateStore {
    return new SqlStateStore(this.sql, this.meta, TABLES);
  }

  disk(): SqlDisk {
    return new SqlDisk(
      this.sql,
      {
        transactionSync: (body) => this.#storage.transactionSync(body),
        sync: () => this.#storage.sync(),
      },
      TABLES,
    );
  }

  /** The rows that the platform charges for what was done. */
  rowsWritten(work: () => void): number {
    const before = this.sql.counters.rowsWritten;
    work();
    return this.sql.counters.rowsWritten - before;
  }

  /** Names of the tables that begin so. */
  tables(prefix: string): string[] {
    const rows = this.sql.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
    const names = rows.map(([name]) => String(name));
    return names.filter((name) => name.startsWith(prefix)).sort();
  }
}

/**
 * Runs inside an object of that name, with its SQLite. ETCD_INITIAL_CLUSTER does not name such a
 * member, so the object itself leaves its database alone.
 */
export function inScratch<R>(
  name: string,
  work: (scratch: Scratch, state: DurableObjectState) => R | Promise<R>,
): Promise<R> {
  const stub = env.MEMBER.getByName(`scratch/${name}`);
  return runInDurableObject(stub, (_, state) => work(new Scratch(state.storage), state));
}
