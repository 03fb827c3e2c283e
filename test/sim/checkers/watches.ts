import type { Event } from '../../../src/api/gen/kv_pb.ts';
import {
  WatchCreateRequest_FilterType as Filter,
  type WatchCreateRequest,
  type WatchResponse,
} from '../../../src/api/gen/rpc_pb.ts';
import { must } from '../../../src/lib/assert.ts';
import { differenceOfWatched } from '../model/events.ts';
import { type ModelChange, rangeTest } from '../model/store.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { CommittedLog } from './committed_log.ts';

/** What one client wants to know, over as many streams as it takes. */
export class WatchedRange {
  readonly name: string;
  readonly request: WatchCreateRequest;
  /** The first revision that it has not heard of; null until "now" is known. */
  next: number | null;
  /** Canceled by the client, or compacted: nothing more may come. */
  over = false;

  constructor(name: string, request: WatchCreateRequest) {
    this.name = name;
    this.request = request;
    this.next = request.startRevision === 0n ? null : Number(request.startRevision);
  }
}

/** W1 to W9, from what arrives at clients. */
export class WatchChecker {
  readonly #world: World;
  readonly #log: CommittedLog;
  /** Until the committed log has caught up with the step under way. */
  #pending: (() => void)[] = [];

  constructor(world: World, log: CommittedLog) {
    this.#world = world;
    this.#log = log;
  }

  /** The step is over, and the committed log knows what it committed. */
  settle(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const check of pending) check();
  }

  /** @returns the revision from which the watch goes on */
  created(range: WatchedRange, response: WatchResponse): void {
    const revision = Number(response.header?.revision ?? 0n);
    if (range.next !== null && range.next > revision + 1)
      this.#world.coverage.add('watchesInFuture');
    range.next ??= revision + 1;
  }

  /** Events of whole revisions, all that the watch wants of them, and none left out before. */
  events(range: WatchedRange, { events }: WatchResponse): void {
    this.#world.coverage.add('watchEvents', events.length);
    holds(!range.over, 'W1', () => `${range.name} is over and gets events`);
    this.#pending.push(() => {
      for (const [revision, group] of byRevision(events)) this.#check(range, revision, group);
    });
  }

  /** W5: everything up to the revision has been told; W8: nothing is told of before the start. */
  progress(range: WatchedRange, revision: number): void {
    this.#world.coverage.add('watchProgress');
    if (range.over) return;
    this.#pending.push(() => {
      const start = Number(range.request.startRevision);
      holds(revision >= start, 'W8', () => {
        return `${range.name} hears of revision ${revision}, it begins at ${start}`;
      });
      const next = must(range.next, 'progress comes after creation');
      this.#holdsNothing(range, next, revision, 'W5');
      range.next = Math.max(next, revision + 1);
    });
  }

  /** W7: only what is compacted is refused, and the client learns up to where. */
  compacted(range: WatchedRange, compactRevision: number): void {
    this.#world.coverage.add('watchesCompacted');
    this.#pending.push(() => {
      const { compactRevision: known } = this.#log.model.moment;
      holds(compactRevision <= known, 'W7', () => {
        return `${range.name} ends at compact revision ${compactRevision}, ${known} is the last`;
      });
      const next = must(range.next, 'a watch from now on is not compacted at once');
      holds(next < compactRevision, 'W7', () => {
        return `${range.name} ends although ${next} is not compacted, only ${compactRevision}`;
      });
    });
  }

  /** V6: nothing is left that the client should have heard. */
  isCaughtUp(range: WatchedRange): boolean {
    const { next } = range;
    if (range.over) return true;
    if (next === null) return false;
    const { revision } = this.#log.model.store;
    for (let at = next; at <= revision; at++) if (this.#wanted(range, at).length > 0) return false;
    return true;
  }

  #check(range: WatchedRange, revision: number, events: readonly Event[]): void {
    const next = must(range.next, 'events come after creation');
    const start = Number(range.request.startRevision);
    holds(revision >= start, 'W8', () => `${range.name} gets ${revision}, it begins at ${start}`);
    holds(revision >= next, 'W2', () => `${range.name} gets ${revision} when ${next} is next`);
    this.#holdsNothing(range, next, revision - 1, 'W3');
    const wanted = this.#wanted(range, revision);
    const { prevKv } = range.request;
    const { compactRevision } = this.#log.model.moment;
    // A part of a revision in a response of its own would be found short here (W4).
    const rule = wanted.length === events.length ? 'W9' : 'W4';
    const difference = differenceOfWatched(wanted, events, { prevKv, compactRevision });
    holds(difference === null, rule, () => `${range.name}, revision ${revision}: ${difference}`);
    range.next = revision + 1;
  }

  #holdsNothing(range: WatchedRange, from: number, to: number, invariant: string): void {
    for (let at = from; at <= to; at++) {
      const missed = this.#wanted(range, at).length;
      holds(missed === 0, invariant, () => `${range.name} has missed revision ${at}`);
    }
  }

  #wanted({ request }: WatchedRange, revision: number): ModelChange[] {
    const { key, rangeEnd, filters } = request;
    const inRange = rangeTest(key, rangeEnd);
    return this.#log.model.store.changesOf(revision).filter(({ version }) => {
      const filter = version.value === null ? Filter.NODELETE : Filter.NOPUT;
      return inRange(version.key) && !filters.includes(filter);
    });
  }
}

function byRevision(events: readonly Event[]): Map<number, Event[]> {
  const groups = new Map<number, Event[]>();
  let last = 0;
  for (const event of events) {
    const revision = Number(event.kv?.modRevision ?? 0n);
    holds(revision >= last, 'W1', () => `revision ${revision} comes after ${last}`);
    last = revision;
    const group = groups.get(revision);
    if (group === undefined) groups.set(revision, [event]);
    else group.push(event);
  }
  return groups;
}
