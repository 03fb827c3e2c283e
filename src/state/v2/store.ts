import { V2Error, type V2ErrorCode } from '../../api/v2/error.ts';
import type { V2Action, V2Event, V2Node } from '../../api/v2/event.ts';
import { limits } from '../../config.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { NO_BUGS } from '../bugs.ts';
import type { Journal } from '../journal.ts';
import { OverlayTable } from '../overlay_table.ts';
import { BYTES_CODEC } from '../row_codec.ts';
import type { StateStore } from '../store.ts';
import { History, type PastEvent } from './history.ts';
import { type StoredNode, shown } from './node.ts';
import { isHiddenName, KEYS_ROOT } from './path.ts';
import { Pictures } from './pictures.ts';
import { Tree } from './tree.ts';

/** An event as those are told who wait for it. */
export interface V2Change {
  readonly event: PastEvent;
  /** Paths that were taken away with the event's own. */
  readonly removed: readonly string[];
}

/** What one command has done to the tree. */
export interface V2Changes {
  readonly changes: readonly V2Change[];
  /** A checksum over them: alike on all members. */
  readonly digest: number;
}

/** The tree and its history, to be read. */
export interface V2Reader {
  /** Of the newest event. */
  readonly index: number;
  /** When the next node ends, or when it should have; null: none does. */
  readonly nextExpirationMs: number | null;
  /** The node and what is in it, hidden names left out. @throws V2Error */
  get(path: string, recursive: boolean, nowMs: number): V2Event;
  /** The value of a file; null: there is no such file. */
  file(path: string): string | null;
  /** The names in a directory, sorted; none where there is no such directory. */
  names(directory: string): string[];
  /**
   * The first event from that index on which whoever watches the path would have been told of;
   * null: there was none. @throws V2Error when it may have been forgotten
   */
  eventAfter(path: string, recursive: boolean, fromIndex: number): PastEvent | null;
}

/**
 * etcd's v2 store: a tree of files and directories, an index that counts changes, and the last
 * thousand of them. Commands are in change.ts and accounts_admin.ts.
 */
export class V2Store implements V2Reader {
  readonly table: OverlayTable<Uint8Array>;
  readonly tree: Tree;
  readonly pictures: Pictures;
  readonly #history: History;
  #changes: V2Change[] = [];
  #digest = 0;
  readonly #bugs: ReadonlySet<string>;

  /** @param bugs see bugs.ts; empty but in tests */
  constructor(store: StateStore, journal: Journal, bugs: ReadonlySet<string> = NO_BUGS) {
    this.#bugs = bugs;
    this.table = new OverlayTable(store, 'v2', BYTES_CODEC, journal, {
      entriesMax: limits.v2CacheRowsMax,
      bytesMax: limits.v2CacheBytesMax,
    });
    this.tree = new Tree(this.table);
    this.pictures = new Pictures(store);
    this.#history = new History(this.table);
  }

  get index(): number {
    return this.#history.index;
  }

  get nextExpirationMs(): number | null {
    return this.tree.earliestExpiration()?.expirationMs ?? null;
  }

  /** An error as of now. */
  error(errorCode: V2ErrorCode, reason: string): V2Error {
    return new V2Error(errorCode, withoutRoot(reason), this.index);
  }

  /** The node at the path. @throws V2Error */
  find(path: string): StoredNode {
    const found = this.tree.find(path);
    if (found.kind === 'node') return found.node;
    throw this.error(found.kind === 'file' ? 104 : 100, found.path);
  }

  get(path: string, recursive: boolean, nowMs: number): V2Event {
    const node = this.find(path);
    const budget = { bytes: limits.v2ListingBytesMax };
    const nodes = node.value === null ? this.#list(path, recursive, nowMs, budget) : [];
    return { action: 'get', node: { ...shown(path, node, nowMs), nodes }, prevNode: null };
  }

  file(path: string): string | null {
    return this.tree.get(path)?.value ?? null;
  }

  names(directory: string): string[] {
    return [...this.tree.children(directory)].map(([path]) => path.slice(directory.length + 1));
  }

  eventAfter(path: string, recursive: boolean, fromIndex: number): PastEvent | null {
    const { firstIndex, index: lastIndex } = this.#history;
    if (fromIndex < firstIndex) {
      const asked = `the requested history has been cleared [${firstIndex}/${fromIndex}]`;
      throw this.error(401, asked);
    }
    for (let index = fromIndex; index <= lastIndex; index++) {
      const event = this.#history.at(index);
      if (event !== null && concerns(event, path, recursive)) return event;
    }
    return null;
  }

  /** Notes an event under the next index. */
  record(event: V2Event, options: { isRefresh?: boolean; removed?: readonly string[] } = {}): void {
    const { isRefresh = false, removed = [] } = options;
    const past = { ...event, index: this.index + 1, isRefresh };
    this.#digest = crc32c(this.#history.add(past), this.#digest);
    this.#changes.push({ event: past, removed });
  }

  /** The same of what no client is shown: neither values nor what was before. */
  recordHidden(action: V2Action, path: string, dir: boolean): void {
    const modifiedIndex = this.index + 1;
    const times = { expirationMs: 0, ttlSeconds: 0, modifiedIndex, createdIndex: modifiedIndex };
    const node: V2Node = { key: path, value: null, dir, nodes: [], ...times };
    this.record({ action, node, prevNode: null });
  }

  /** What was recorded since the last command; null: nothing, as by any command of v3. */
  commit(): V2Changes | null {
    if (this.#changes.length === 0) return null;
    const changes = { changes: this.#changes, digest: this.#digest };
    this.rollback();
    return changes;
  }

  rollback(): void {
    if (this.#changes.length > 0) this.#changes = [];
    this.#digest = 0;
  }

  flush(): void {
    if (!this.#bugs.has('v2-picture-torn')) this.pictures.keep(this.table);
    this.table.flush();
  }

  #list(directory: string, recursive: boolean, nowMs: number, budget: { bytes: number }): V2Node[] {
    const nodes: V2Node[] = [];
    for (const [path, node] of this.tree.children(directory)) {
      if (isHiddenName(path)) continue;
      budget.bytes -= 128 + path.length + (node.value?.length ?? 0);
      if (budget.bytes < 0) throw this.error(300, 'the listing is too long for one answer');
      const isDeep = recursive && node.value === null;
      const inside = isDeep ? this.#list(path, recursive, nowMs, budget) : [];
      nodes.push({ ...shown(path, node, nowMs), nodes: inside });
    }
    return nodes;
  }
}

/** Whether an event of the past is for whoever watches the path. */
export function concerns(event: PastEvent, path: string, recursive: boolean): boolean {
  if (event.isRefresh) return false;
  const { key } = event.node;
  if (key === path) return true;
  if (recursive && key.startsWith(`${path}/`)) return !key.slice(path.length).includes('/_');
  const goes = event.action === 'delete' || event.action === 'expire';
  return goes && event.prevNode?.dir === true && path.startsWith(`${key}/`);
}

/** What clients are shown of a path: their keys begin at the root, of which etcd shows nothing. */
function withoutRoot(path: string): string {
  if (path === KEYS_ROOT) return '';
  return path.startsWith(`${KEYS_ROOT}/`) ? path.slice(KEYS_ROOT.length) : path;
}
