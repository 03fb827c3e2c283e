import { mapKey } from '../../../src/lib/bytes.ts';

/** One version of a key; `value` is null when the key was deleted. */
export interface ModelVersion {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
}

/** One version and the live one before it: an event of a watch. */
export interface ModelChange {
  readonly version: ModelVersion;
  readonly previous: ModelVersion | null;
}

/**
 * Every version of every key that ever was, in the plainest way there is: the reference that
 * answers are compared with. Nothing is ever thrown away.
 */
export class ModelStore {
  /** The newest revision. etcd's empty store is at 1. */
  revision = 1;
  readonly #versions = new Map<string, ModelVersion[]>();
  /** What each revision changed, in order. */
  readonly #changes = new Map<number, readonly ModelChange[]>();
  #touched: ModelChange[] = [];

  /** The revision that the running command's changes belong to. */
  get #pending(): number {
    return this.revision + 1;
  }

  /** The revision that a reader inside the running command sees. */
  get visibleRevision(): number {
    return this.#touched.length > 0 ? this.#pending : this.revision;
  }

  /** The live version at the revision; null when there is none. */
  get(key: string, revision: number): ModelVersion | null {
    const versions = this.#versions.get(key) ?? [];
    for (let i = versions.length - 1; i >= 0; i--) {
      const version = versions[i];
      if (version === undefined || version.modRevision > revision) continue;
      return version.value === null ? null : version;
    }
    return null;
  }

  /** The events of the revision, in order. */
  changesOf(revision: number): readonly ModelChange[] {
    return this.#changes.get(revision) ?? [];
  }

  /** Live versions of the keys in etcd's range notation, in key order. */
  range(key: Uint8Array, rangeEnd: Uint8Array, revision: number): ModelVersion[] {
    const inRange = rangeTest(key, rangeEnd);
    const found: ModelVersion[] = [];
    for (const name of this.#versions.keys()) {
      const version = inRange(name) ? this.get(name, revision) : null;
      if (version !== null) found.push(version);
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  put(key: string, value: Uint8Array, lease: bigint): ModelVersion | null {
    const old = this.get(key, this.visibleRevision);
    this.#add({
      key,
      value,
      createRevision: old?.createRevision ?? this.#pending,
      modRevision: this.#pending,
      version: (old?.version ?? 0) + 1,
      lease,
    });
    return old;
  }

  delete(key: string): void {
    const modRevision = this.#pending;
    this.#add({ key, value: null, createRevision: 0, modRevision, version: 0, lease: 0n });
  }

  /** Ends the command: its changes become one revision. */
  commit(): void {
    if (this.#touched.length === 0) return;
    this.revision += 1;
    this.#changes.set(this.revision, this.#touched);
    this.#touched = [];
  }

  /** Takes the command's changes back. */
  rollback(): void {
    for (const { version } of this.#touched) this.#versions.get(version.key)?.pop();
    this.#touched = [];
  }

  #add(version: ModelVersion): void {
    const previous = this.get(version.key, this.visibleRevision);
    const versions = this.#versions.get(version.key);
    if (versions === undefined) this.#versions.set(version.key, [version]);
    else versions.push(version);
    this.#touched.push({ version, previous });
  }
}

/** etcd's notation: no end is one key, a zero byte everything from the key on, else exclusive. */
export function rangeTest(key: Uint8Array, rangeEnd: Uint8Array): (name: string) => boolean {
  const start = mapKey(key);
  if (rangeEnd.length === 0) return (name) => name === start;
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return (name) => name >= start;
  const end = mapKey(rangeEnd);
  return (name) => name >= start && name < end;
}
