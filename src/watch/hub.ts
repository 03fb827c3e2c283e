import type { Event } from '../api/gen/kv_pb.ts';
import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import { mapKey } from '../lib/bytes.ts';
import { NO_BUGS } from '../state/bugs.ts';
import type { ReplayLimits, RevisionEvents } from '../state/event.ts';
import type { ApplyResult } from '../state/result.ts';
import { Backlog } from './backlog.ts';
import { KeyIndex } from './key_index.ts';
import { type Outlet, Watcher, type WatchSpec } from './watcher.ts';

/** Where past events are read: the state machine. */
export interface WatchSource {
  readonly revision: number;
  readonly compactRevision: number;
  /** Whole revisions from the given one on, which is not compacted. */
  eventsFrom(revision: number, withPrevious: boolean, budget: ReplayLimits): RevisionEvents[];
}

export interface HubOptions {
  /** Asked each time: another machine takes its place when a snapshot is installed. */
  readonly source: () => WatchSource;
  /** Calls back at the end of the current event. */
  readonly soon: (callback: () => void) => void;
  /** Calls back in an event of its own, after those that have arrived. */
  readonly defer: (callback: () => void) => void;
  /** See bugs.ts; empty but in tests. */
  readonly bugs?: ReadonlySet<string>;
}

/** A service of this member that watches. */
export interface WatchListener {
  /** Events of whole revisions, in order and without a gap. */
  events(events: readonly Event[], revision: number): void;
  /** The start was compacted, or this member fell behind: the watch is over. Look again. */
  compacted(compactRevision: number): void;
}

export interface HubStats {
  readonly watchers: number;
  /** Watchers that catch up. */
  readonly slowWatchers: number;
  /** Revisions that those have still to look at. */
  readonly pendingRevisions: number;
  readonly eventsSent: number;
}

/**
 * All watchers of one member, and what they are told: every event once, in the order of revisions.
 *
 * A watcher is *synced* when it has everything up to `revision`: it is in the index of those that
 * are told of changes as they are applied. Otherwise it is *unsynced* and reads history from its
 * `next` revision on, a slice at a time, until it is synced. One whose start lies in the future is
 * synced, and passed over until then. A watcher whose outlet is full when there is something for
 * it becomes unsynced: what it misses need not be kept in memory.
 *
 * At all times: a watcher is synced if and only if its next revision is above `revision`.
 */
export class Hub {
  readonly #options: HubOptions;
  /** See bugs.ts; empty but in tests. */
  readonly bugs: ReadonlySet<string>;
  readonly #synced = new KeyIndex<Watcher>();
  readonly #unsynced = new KeyIndex<Watcher>();
  /** The same as #unsynced, in the order in which they are served. */
  readonly #lagging = new Set<Watcher>();
  readonly #watchers = new Set<Watcher>();
  readonly #backlog = new Backlog(() => this.#scheduleSlice());
  readonly #progressWaiters = new Set<() => boolean>();
  /** Results that are applied and not distributed yet: those of one turn, usually. */
  #applied: ApplyResult[] = [];
  /** The newest revision that was applied, and the newest that was distributed. */
  #seen: number;
  #revision: number;
  /** Watchers for whom something was collected. */
  #collecting: Watcher[] = [];
  #sliceScheduled = false;
  #keyBytes = 0;
  /** Watchers that want to know what was before a change. */
  #previousWanted = 0;
  #eventsSent = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.bugs = options.bugs ?? NO_BUGS;
    this.#seen = options.source().revision;
    this.#revision = this.#seen;
  }

  /** Synced watchers have been sent everything up to here. */
  get revision(): number {
    return this.#revision;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Whether events have to say what was before. */
  get previousWanted(): boolean {
    return this.#previousWanted > 0;
  }

  get stats(): HubStats {
    let pendingRevisions = 0;
    for (const { next } of this.#lagging) pendingRevisions += Math.max(0, this.#seen - next + 1);
    return {
      watchers: this.#watchers.size,
      slowWatchers: this.#lagging.size,
      pendingRevisions,
      eventsSent: this.#eventsSent,
    };
  }

  /** An entry was applied. To be called for each one, in order. */
  applied(result: ApplyResult): void {
    if (result.revision === this.#seen) {
      if (result.command.request.case !== 'compaction') return;
      for (const outlet of this.#backlog.outlets) outlet.compactionPassed?.();
      return;
    }
    assert(result.revision === this.#seen + 1, `revision ${result.revision} after ${this.#seen}`);
    this.#seen = result.revision;
    if (this.#applied.length === 0) {
      if (this.#synced.size === 0) {
        this.#revision = this.#seen;
        return;
      }
      this.#options.soon(() => this.#distribute());
    }
    this.#applied.push(result);
  }

  /**
   * A snapshot has taken the place of the state: revisions were skipped. What lies between is read
   * from the new history; those for whom it is compacted are told so.
   */
  restored(): void {
    const { revision } = this.#options.source();
    assert(revision >= this.#seen, `a snapshot goes back from ${this.#seen} to ${revision}`);
    // Results that were not distributed yet are in the new history as well.
    this.#applied = [];
    const repeat = this.bugs.has('watch-repeat-after-snapshot');
    for (const watcher of this.#watchers) {
      if (!watcher.synced) continue;
      const next = repeat ? Math.max(watcher.startRevision, 1) : this.nextOf(watcher);
      if (next <= revision) this.#desync(watcher, next);
    }
    this.#seen = revision;
    this.#revision = revision;
    this.#scheduleSlice();
  }

  /** Watches for a service of this member, until the returned function is called. */
  watch(spec: WatchSpec, listener: WatchListener): () => void {
    const outlet: Outlet = {
      bufferedBytes: 0,
      drained: (callback) => this.#options.defer(callback),
      events: (_watcher, events, revision) => listener.events(events, revision),
      compacted: (_watcher, compactRevision) => listener.compacted(compactRevision),
    };
    const watcher = this.add(spec, outlet);
    return () => this.remove(watcher);
  }

  /** An outlet that will have watchers. */
  addOutlet(outlet: Outlet): void {
    this.#backlog.add(outlet);
  }

  /** It is gone, and its watchers have been removed. */
  removeOutlet(outlet: Outlet): void {
    this.#backlog.delete(outlet);
  }

  /** Whether one more watcher of so many bytes fits in memory. */
  hasRoomFor(keyBytes: number): boolean {
    const { watchersMax, watcherKeyBytesMax } = limits;
    return this.#watchers.size < watchersMax && this.#keyBytes + keyBytes <= watcherKeyBytesMax;
  }

  /** A new watcher. Nothing is sent to it before this has returned. */
  add(spec: WatchSpec, outlet: Outlet): Watcher {
    const { startRevision = 0 } = spec;
    const now = this.#options.source().revision + 1;
    const tooEarly = startRevision > now && this.bugs.has('watch-future-gets-old');
    const next = startRevision === 0 || tooEarly ? now : startRevision;
    const watcher = new Watcher(spec, next, outlet);
    this.#watchers.add(watcher);
    if (watcher.prevKv) this.#previousWanted++;
    this.#keyBytes += watcher.bytes;
    if (next > this.#revision) this.#sync(watcher);
    else this.#addLagging(watcher);
    return watcher;
  }

  remove(watcher: Watcher): void {
    if (!watcher.open) return;
    watcher.open = false;
    this.#watchers.delete(watcher);
    if (watcher.prevKv) this.#previousWanted--;
    this.#keyBytes -= watcher.bytes;
    if (watcher.synced) this.#synced.delete(watcher);
    else this.#deleteLagging(watcher);
  }

  /** The first revision that the watcher has not seen: where another one goes on in its place. */
  nextOf(watcher: Watcher): number {
    return watcher.synced ? Math.max(watcher.next, this.#revision + 1) : watcher.next;
  }

  /**
   * Whether the watcher has everything up to `revision` and may be told so: one that begins in the
   * future is told nothing older.
   */
  hasProgress(watcher: Watcher): boolean {
    if (this.bugs.has('watch-progress-early')) return true;
    return watcher.synced && watcher.startRevision <= this.#revision;
  }

  hasRoom(outlet: Outlet): boolean {
    return this.#backlog.hasRoom(outlet);
  }

  /** Calls back when things have moved, until the callback answers true. */
  awaitProgress(callback: () => boolean): void {
    this.#progressWaiters.add(callback);
  }

  forgetProgress(callback: () => boolean): void {
    this.#progressWaiters.delete(callback);
  }

  /** Tells the synced watchers what the turn has changed: one response for each. */
  #distribute(): void {
    const results = this.#applied;
    const last = results.at(-1);
    // A snapshot was installed in between.
    if (last === undefined) return;
    this.#applied = [];
    this.#backlog.review();
    for (const { revision, events } of results) {
      for (const event of events) this.#collect(this.#synced, event, revision, 0);
    }
    this.#revision = last.revision;
    this.#handOverAll((watcher) => {
      if (this.#handOver(watcher, last.revision)) return;
      if (!this.bugs.has('watch-starved')) this.#desync(watcher, watcher.collectedFrom);
    });
    this.#progressed();
  }

  /** Notes the event for all of the index that want it and are at `from` or further. */
  #collect(index: KeyIndex<Watcher>, event: Event, revision: number, from: number): number {
    let count = 0;
    let plain: Event | null = event.prevKv === undefined ? event : null;
    const kv = must(event.kv, 'an event is about a key');
    index.visit(mapKey(kv.key), (watcher) => {
      if (watcher.next > revision || watcher.next < from || !watcher.wants(event.type)) return;
      // One object for all who do not want to know what was before.
      if (!watcher.prevKv) plain ??= { $typeName: event.$typeName, type: event.type, kv };
      const wanted = watcher.prevKv || plain === null ? event : plain;
      count++;
      if (watcher.collected !== null) {
        watcher.collected.push(wanted);
        return;
      }
      watcher.collected = [wanted];
      watcher.collectedFrom = revision;
      this.#collecting.push(watcher);
    });
    return count;
  }

  #handOverAll(handOver: (watcher: Watcher) => void): void {
    const watchers = this.#collecting;
    this.#collecting = [];
    for (const watcher of watchers) {
      // A listener before it may have ended it.
      if (watcher.open) handOver(watcher);
      watcher.collected = null;
    }
  }

  /** Sends what was collected, when the outlet can take it. */
  #handOver(watcher: Watcher, revision: number): boolean {
    const { outlet, collected } = watcher;
    if (collected === null) return true;
    if (!this.#backlog.hasRoom(outlet)) return false;
    const before = outlet.bufferedBytes;
    this.#eventsSent += collected.length;
    outlet.events(watcher, collected, revision);
    this.#backlog.grown(outlet.bufferedBytes - before);
    return true;
  }

  #scheduleSlice(): void {
    if (this.#sliceScheduled) return;
    this.#sliceScheduled = true;
    this.#options.defer(() => {
      this.#sliceScheduled = false;
      this.#slice();
    });
  }

  /**
   * One step of catching up: the watcher that waits longest and can take more reads on, and all who
   * are somewhere in what it reads share it.
   */
  #slice(): void {
    this.#backlog.review();
    const watcher = this.#nextLagging();
    if (watcher !== null) {
      const source = this.#options.source();
      if (watcher.next < source.compactRevision) this.#overtaken(watcher, source.compactRevision);
      else this.#replay(watcher, source);
      if (this.#lagging.size > 0) this.#scheduleSlice();
    }
    this.#progressed();
  }

  #nextLagging(): Watcher | null {
    for (const watcher of this.#lagging) if (this.#backlog.hasRoom(watcher.outlet)) return watcher;
    return null;
  }

  #overtaken(watcher: Watcher, compactRevision: number): void {
    if (this.bugs.has('watch-compact-boundary')) {
      watcher.next = compactRevision;
      return;
    }
    this.remove(watcher);
    watcher.outlet.compacted(watcher, compactRevision);
  }

  #replay(first: Watcher, source: WatchSource): void {
    const from = first.next;
    const revisionsMax = limits.watchReplayRevisionsMax;
    const bytesMax = limits.watchReplayBytesMax;
    const withPrevious = [...this.#lagging].some(({ prevKv }) => prevKv);
    const batches = source.eventsFrom(from, withPrevious, { revisionsMax, bytesMax });
    let last = batches.length === 0 ? source.revision : from;
    let count = 0;
    for (const { revision, events } of batches) {
      if (count > limits.watchReplayEventsMax) break;
      for (const event of events) count += this.#collect(this.#unsynced, event, revision, from);
      last = revision;
    }
    const sharers = [...this.#lagging].filter(({ next }) => next >= from && next <= last);
    const blocked = new Set<Watcher>();
    this.#handOverAll((watcher) => {
      if (!this.#handOver(watcher, last)) blocked.add(watcher);
    });
    for (const watcher of sharers) {
      if (!watcher.open || blocked.has(watcher)) continue;
      this.#deleteLagging(watcher);
      watcher.next = last + 1;
      if (watcher.next > this.#revision) this.#sync(watcher);
      else this.#addLagging(watcher);
    }
  }

  #progressed(): void {
    for (const callback of [...this.#progressWaiters]) {
      if (callback()) this.#progressWaiters.delete(callback);
    }
  }

  #sync(watcher: Watcher): void {
    watcher.synced = true;
    this.#synced.add(watcher);
  }

  #desync(watcher: Watcher, next: number): void {
    this.#synced.delete(watcher);
    watcher.synced = false;
    watcher.next = next;
    this.#addLagging(watcher);
  }

  /** To the end of those who catch up. */
  #addLagging(watcher: Watcher): void {
    this.#unsynced.add(watcher);
    this.#lagging.add(watcher);
    this.#scheduleSlice();
  }

  #deleteLagging(watcher: Watcher): void {
    this.#unsynced.delete(watcher);
    this.#lagging.delete(watcher);
  }
}
