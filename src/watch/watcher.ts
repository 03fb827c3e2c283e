import { type Event, Event_EventType } from '../api/gen/kv_pb.ts';
import { mapKey } from '../lib/bytes.ts';
import { isOpenEnd } from '../state/key_range.ts';
import { END_OF_KEYS } from './interval_tree.ts';
import type { Watched } from './key_index.ts';

/** Where a watcher's events go: the stream of a client, or a service of this member. */
export interface Outlet {
  /** Bytes that were sent and not taken yet. */
  readonly bufferedBytes: number;
  /** Calls back once, in an event of its own, when few bytes are left. */
  drained(callback: () => void): void;
  /** Events of whole revisions, in order: everything for the watcher up to `revision`. */
  events(watcher: Watcher, events: readonly Event[], revision: number): void;
  /** What the watcher is to see next is compacted: it is removed, and gets nothing any more. */
  compacted(watcher: Watcher, compactRevision: number): void;
  /** History was compacted: what was noted down about where its watchers are may be too old now. */
  compactionPassed?(): void;
}

/** What to watch, as in etcd's WatchCreateRequest. */
export interface WatchSpec {
  readonly key: Uint8Array;
  /** Empty or not given: the one key; a zero byte: all keys from `key` on. */
  readonly rangeEnd?: Uint8Array;
  /** The first revision to be seen; 0 or not given: from now on. */
  readonly startRevision?: number;
  readonly prevKv?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
}

/** One watch: what it wants, and how far it is. The hub alone changes it. */
export class Watcher implements Watched {
  readonly key: string;
  readonly end: string | null;
  /** The first revision that was asked for; 0 for "from now on". */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly outlet: Outlet;
  /** Nothing below is to be sent (any more). Not raised while synced: see Hub.nextOf. */
  next: number;
  /** It is told of changes as they are applied; else it catches up from history. */
  synced = false;
  open = true;
  /** Collected for it and not handed over yet; its first revision. */
  collected: Event[] | null = null;
  collectedFrom = 0;

  constructor(spec: WatchSpec, next: number, outlet: Outlet) {
    const { key, rangeEnd, startRevision = 0 } = spec;
    this.key = mapKey(key);
    if (rangeEnd === undefined || rangeEnd.length === 0) this.end = null;
    else this.end = isOpenEnd(rangeEnd) ? END_OF_KEYS : mapKey(rangeEnd);
    this.startRevision = startRevision;
    this.prevKv = spec.prevKv ?? false;
    this.noPut = spec.noPut ?? false;
    this.noDelete = spec.noDelete ?? false;
    this.next = next;
    this.outlet = outlet;
  }

  /** About what it keeps in memory. */
  get bytes(): number {
    return this.key.length + (this.end?.length ?? 0);
  }

  wants(type: Event_EventType): boolean {
    return type === Event_EventType.PUT ? !this.noPut : !this.noDelete;
  }
}
