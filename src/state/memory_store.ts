import { bytesOfMapKey, mapKey } from '../lib/bytes.ts';
import { lowerBound } from './sorted.ts';
import type { KeyRange, Row, StateStore, TableName } from './store.ts';

interface MemoryTable {
  readonly rows: Map<string, Uint8Array>;
  /** Sorted keys; null: to be sorted again. */
  order: string[] | null;
}

type Tables = Map<TableName, MemoryTable>;

/** What a {@link MemoryStateStore} held at some time. */
export interface MemoryStoreImage {
  readonly live: ReadonlyMap<TableName, MemoryTable>;
  readonly staged: ReadonlyMap<TableName, MemoryTable>;
}

/**
 * The tables in memory: for tests and the simulator, which takes images as "what is on the disk".
 */
export class MemoryStateStore implements StateStore {
  #live: Tables = new Map();
  #staged: Tables = new Map();
  /** Tables that an image holds too: copied before they are written. */
  #shared = new Set<MemoryTable>();
  #rowsWritten = 0;

  /** Rows put and deleted since the beginning: what the platform charges for. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  get(table: TableName, key: Uint8Array): Uint8Array | null {
    return this.#live.get(table)?.rows.get(mapKey(key)) ?? null;
  }

  scan(table: TableName, range: KeyRange, limit: number, reverse = false): Row[] {
    const found = this.#live.get(table);
    if (found === undefined) return [];
    const { names, from, to } = span(found, range);
    const chosen = reverse
      ? names.slice(Math.max(from, to - limit), to).reverse()
      : names.slice(from, Math.min(to, from + limit));
    const rows: Row[] = [];
    for (const name of chosen) {
      const value = found.rows.get(name);
      if (value !== undefined) rows.push({ key: bytesOfMapKey(name), value });
    }
    return rows;
  }

  count(table: TableName, range: KeyRange): number {
    const found = this.#live.get(table);
    if (found === undefined) return 0;
    const { from, to } = span(found, range);
    return to - from;
  }

  put(table: TableName, rows: readonly Row[]): void {
    this.#rowsWritten += rows.length;
    this.#insert(this.#live, table, rows);
  }

  delete(table: TableName, keys: readonly Uint8Array[]): void {
    this.#rowsWritten += keys.length;
    const found = this.#writable(this.#live, table);
    for (const key of keys) if (found.rows.delete(mapKey(key))) found.order = null;
  }

  clear(table: TableName): void {
    this.#live.delete(table);
  }

  sizeBytes(): number {
    let bytes = 0;
    for (const { rows } of this.#live.values()) {
      for (const [name, value] of rows) bytes += name.length + value.length;
    }
    return bytes;
  }

  stagePut(table: TableName, rows: readonly Row[]): void {
    this.#insert(this.#staged, table, rows);
  }

  stageClear(): void {
    this.#staged = new Map();
  }

  stageInstall(): void {
    this.#live = this.#staged;
    this.#staged = new Map();
  }

  /** The contents, to come back to. Costs nothing until a table is written again. */
  image(): MemoryStoreImage {
    for (const tables of [this.#live, this.#staged]) {
      for (const table of tables.values()) this.#shared.add(table);
    }
    return { live: new Map(this.#live), staged: new Map(this.#staged) };
  }

  restore({ live, staged }: MemoryStoreImage): void {
    this.#live = new Map(live);
    this.#staged = new Map(staged);
    this.#shared = new Set([...live.values(), ...staged.values()]);
  }

  #insert(tables: Tables, table: TableName, rows: readonly Row[]): void {
    const found = this.#writable(tables, table);
    for (const { key, value } of rows) {
      const name = mapKey(key);
      if (found.order !== null && !found.rows.has(name)) {
        const last = found.order.at(-1);
        if (last === undefined || name > last) found.order.push(name);
        else found.order = null;
      }
      found.rows.set(name, value.slice());
    }
  }

  #writable(tables: Tables, name: TableName): MemoryTable {
    const found = tables.get(name);
    if (found !== undefined && !this.#shared.has(found)) return found;
    const table: MemoryTable = { rows: new Map(found?.rows), order: found ? null : [] };
    tables.set(name, table);
    return table;
  }
}

function span(table: MemoryTable, { start, end }: KeyRange) {
  table.order ??= [...table.rows.keys()].sort((a, b) => (a < b ? -1 : 1));
  const names = table.order;
  const from = lowerBound(names, mapKey(start));
  const to = end === null ? names.length : lowerBound(names, mapKey(end));
  return { names, from, to: Math.max(from, to) };
}
