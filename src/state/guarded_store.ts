import type { KeyRange, Row, StateStore, TableName } from './store.ts';

/** The database failed: unlike a command that fails, this ends the member. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** Marks what the store throws, so that it is never taken for the fault of a command. */
export class GuardedStore implements StateStore {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  get(table: TableName, key: Uint8Array): Uint8Array | null {
    return guard(() => this.#store.get(table, key));
  }

  scan(table: TableName, range: KeyRange, limit: number, reverse?: boolean): Row[] {
    return guard(() => this.#store.scan(table, range, limit, reverse));
  }

  count(table: TableName, range: KeyRange): number {
    return guard(() => this.#store.count(table, range));
  }

  put(table: TableName, rows: readonly Row[]): void {
    guard(() => this.#store.put(table, rows));
  }

  delete(table: TableName, keys: readonly Uint8Array[]): void {
    guard(() => this.#store.delete(table, keys));
  }

  clear(table: TableName): void {
    guard(() => this.#store.clear(table));
  }

  sizeBytes(): number {
    return guard(() => this.#store.sizeBytes());
  }

  stagePut(table: TableName, rows: readonly Row[]): void {
    guard(() => this.#store.stagePut(table, rows));
  }

  stageClear(): void {
    guard(() => this.#store.stageClear());
  }

  stageInstall(): void {
    guard(() => this.#store.stageInstall());
  }
}

function guard<T>(access: () => T): T {
  try {
    return access();
  } catch (error) {
    throw new StorageError(`store: ${String(error)}`, { cause: error });
  }
}
