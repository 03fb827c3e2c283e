import { V2Error } from '../../api/v2/error.ts';
import type { PastEvent } from '../../state/v2/history.ts';
import { isHiddenFrom } from '../../state/v2/path.ts';
import type { V2Change, V2Reader } from '../../state/v2/store.ts';

/** What somebody waits for. */
export interface V2WatchSpec {
  /** In the whole tree. */
  readonly path: string;
  /** What is below it too. */
  readonly recursive: boolean;
  /** All events, and not only the first. */
  readonly stream: boolean;
  /** The first index that counts; 0: whatever happens from now on. */
  readonly fromIndex: number;
}

export interface V2Listener {
  event(event: PastEvent): void;
  /** Events were missed: the watch is over. Whoever asks again is told which are left. */
  lost(): void;
}

interface Watcher extends V2WatchSpec {
  readonly listener: V2Listener;
  /** Of the first event that it has not been told of. */
  next: number;
  open: boolean;
}

export interface V2HubOptions {
  /** Asked each time: another one takes its place when a snapshot is installed. */
  readonly source: () => Pick<V2Reader, 'index' | 'eventAfter'>;
  /** Calls back at the end of the current event. */
  readonly soon: (callback: () => void) => void;
  /** See bugs.ts; empty but in tests. */
  readonly bugs?: ReadonlySet<string>;
}

/**
 * All who wait for events of the v2 tree at one member. As in etcd, by whose rules they are told: a
 * watcher of a path hears of that node; a recursive one of everything below it that is not hidden;
 * and whoever watches a node that goes with its directory hears of the directory.
 */
export class V2Hub {
  readonly #options: V2HubOptions;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Applied and not distributed yet. */
  #changes: V2Change[] = [];
  /** Everybody has been told of events up to here. */
  #index: number;
  #count = 0;

  constructor(options: V2HubOptions) {
    this.#options = options;
    this.#index = options.source().index;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Tells of the past at once, and of what comes as it comes, until the returned function is
   * called. @throws V2Error when the past is forgotten
   */
  watch(spec: V2WatchSpec, listener: V2Listener): () => void {
    const { index } = this.#options.source();
    const next = spec.fromIndex === 0 ? index + 1 : spec.fromIndex;
    const watcher: Watcher = { ...spec, listener, next, open: true };
    this.#replay(watcher);
    if (watcher.open) this.#add(watcher);
    return () => this.#remove(watcher);
  }

  /** A command was applied. To be called for each one, in order. */
  applied(changes: readonly V2Change[]): void {
    if (this.#count === 0 && this.#changes.length === 0) {
      this.#index = changes.at(-1)?.event.index ?? this.#index;
      return;
    }
    if (this.#changes.length === 0) this.#options.soon(() => this.#distribute());
    this.#changes.push(...changes);
  }

  /** A snapshot has taken the place of the state: what was missed is read from its history. */
  restored(): void {
    this.#changes = [];
    for (const watchers of [...this.#watchers.values()]) {
      for (const watcher of [...watchers]) {
        watcher.next = Math.max(watcher.next, this.#index + 1);
        if (!this.#options.bugs?.has('v2-watch-lost-at-snapshot')) this.#catchUp(watcher);
      }
    }
    this.#index = this.#options.source().index;
  }

  #catchUp(watcher: Watcher): void {
    try {
      this.#replay(watcher);
    } catch (error) {
      if (!(error instanceof V2Error)) throw error;
      this.#remove(watcher);
      watcher.listener.lost();
    }
  }

  #replay(watcher: Watcher): void {
    const source = this.#options.source();
    while (watcher.open && watcher.next <= source.index) {
      const event = source.eventAfter(watcher.path, watcher.recursive, watcher.next);
      if (event === null) return;
      this.#tell(watcher, event);
    }
  }

  #distribute(): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const { event, removed } of changes) {
      this.#index = event.index;
      if (!event.isRefresh) this.#notify(event, removed);
    }
  }

  #notify(event: PastEvent, removed: readonly string[]): void {
    const { key } = event.node;
    for (let at = key.indexOf('/', 1); at >= 0; at = key.indexOf('/', at + 1)) {
      const path = key.slice(0, at);
      if (isHiddenFrom(path, key)) continue;
      for (const watcher of this.#at(path)) if (watcher.recursive) this.#tell(watcher, event);
    }
    for (const watcher of this.#at(key)) this.#tell(watcher, event);
    for (const path of removed) {
      if (path === key) continue;
      for (const watcher of this.#at(path)) this.#tell(watcher, event);
    }
  }

  #tell(watcher: Watcher, event: PastEvent): void {
    if (!watcher.open || event.index < watcher.next) return;
    watcher.next = event.index + 1;
    if (!watcher.stream) this.#remove(watcher);
    watcher.listener.event(event);
  }

  /** A list of its own: whoever is told may go. */
  #at(path: string): Watcher[] {
    const watchers = this.#watchers.get(path);
    return watchers === undefined ? [] : [...watchers];
  }

  #add(watcher: Watcher): void {
    const others = this.#watchers.get(watcher.path);
    if (others) others.add(watcher);
    else this.#watchers.set(watcher.path, new Set([watcher]));
    this.#count++;
  }

  #remove(watcher: Watcher): void {
    watcher.open = false;
    const watchers = this.#watchers.get(watcher.path);
    if (!watchers?.delete(watcher)) return;
    this.#count--;
    if (watchers.size === 0) this.#watchers.delete(watcher.path);
  }
}
