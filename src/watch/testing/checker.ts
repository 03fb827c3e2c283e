import { type Event, Event_EventType } from '../../api/gen/kv_pb.ts';
import type { WatchCreateRequest, WatchResponse } from '../../api/gen/rpc_pb.ts';
import { compareBytes, equalBytes, textOf } from '../../lib/bytes.ts';
import { keyRangeOf } from '../../state/key_range.ts';

/** What a client was promised and did not get. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** What the checker knows of the member. */
export interface Oracle {
  readonly history: ReadonlyMap<number, readonly Event[]>;
  revision(): number;
  readonly machine: { readonly compactRevision: number };
}

/** One watch as its client sees it. */
interface Watch {
  readonly request: WatchCreateRequest;
  /** Everything for it up to here has been seen. */
  seen: number;
  /** The part of a revision that has come in fragments. */
  partial: Event[];
  over: boolean;
}

/** Holds the responses of one stream to what a watch promises, as they come. */
export class StreamChecker {
  readonly #oracle: Oracle;
  readonly #watches = new Map<bigint, Watch>();
  readonly #pending: WatchCreateRequest[] = [];

  constructor(oracle: Oracle) {
    this.#oracle = oracle;
  }

  get openIds(): bigint[] {
    return [...this.#watches].filter(([, { over }]) => !over).map(([id]) => id);
  }

  /** The client asks for a watch: its response comes next. */
  asks(request: WatchCreateRequest): void {
    this.#pending.push(request);
  }

  response(response: WatchResponse): void {
    const { watchId, created, canceled, compactRevision, events } = response;
    const revision = Number(response.header?.revision ?? 0n);
    if (created) return this.#created(response);
    if (watchId === -1n) return this.#progress(this.openIds, revision);
    const watch = this.#of(watchId);
    check(!watch.over, `watch ${watchId} is over`);
    if (canceled) {
      if (compactRevision !== 0n) this.#compacted(watch, Number(compactRevision));
      watch.over = true;
    } else if (events.length === 0) this.#progress([watchId], revision);
    else this.#events(watch, response);
  }

  /** Nothing more is to come: everything must have been seen (W3). */
  finish(): void {
    const revision = this.#oracle.revision();
    for (const watch of this.#watches.values()) {
      if (watch.over) continue;
      this.#nothingBetween(watch, watch.seen, revision, 'at the end');
      check(watch.partial.length === 0, 'the end of a revision is missing');
    }
  }

  #of(id: bigint): Watch {
    const watch = this.#watches.get(id);
    if (watch === undefined) throw new Broken(`a response for watch ${id}, which is not there`);
    return watch;
  }

  #created({ watchId, canceled, header }: WatchResponse): void {
    const request = this.#pending.shift();
    if (request === undefined) throw new Broken('nobody asked for a watch');
    if (canceled) return;
    const start = Number(request.startRevision) || Number(header?.revision) + 1;
    check(!this.openIds.includes(watchId), `id ${watchId} is given out twice`);
    this.#watches.set(watchId, { request, seen: start - 1, partial: [], over: false });
  }

  /** W5, W8: everything before it was sent, and it is not from before the watch began. */
  #progress(ids: readonly bigint[], revision: number): void {
    check(ids.length > 0, 'progress of nothing');
    for (const id of ids) {
      const watch = this.#of(id);
      check(revision >= Number(watch.request.startRevision), 'progress from before the start (W8)');
      const began = Number(watch.request.startRevision) <= watch.seen;
      check(revision >= watch.seen || !began, 'progress goes back (W5)');
      this.#nothingBetween(watch, watch.seen, revision, 'before progress (W5)');
      watch.seen = Math.max(watch.seen, revision);
    }
  }

  /** W7: it is told so when, and only when, what comes next is gone. */
  #compacted(watch: Watch, compactRevision: number): void {
    check(compactRevision === this.#oracle.machine.compactRevision, 'another compact revision');
    check(watch.seen + 1 < compactRevision, 'canceled although nothing was lost');
  }

  #events(watch: Watch, { events, fragment }: WatchResponse): void {
    const all = [...watch.partial, ...events];
    watch.partial = [];
    const revisions = [...new Set(all.map(({ kv }) => Number(kv?.modRevision)))];
    for (const [i, revision] of revisions.entries()) {
      const got = all.filter(({ kv }) => Number(kv?.modRevision) === revision);
      if (fragment && i === revisions.length - 1) {
        watch.partial = got;
        return;
      }
      check(revision > watch.seen, `revision ${revision} after ${watch.seen} (W1, W2, W6, W8)`);
      this.#nothingBetween(watch, watch.seen, revision - 1, `before ${revision}`);
      this.#compare(watch, got, this.#expected(watch, revision), revision);
      watch.seen = revision;
    }
  }

  /** W3, W7. */
  #nothingBetween(watch: Watch, after: number, upTo: number, when: string): void {
    for (let revision = after + 1; revision <= upTo; revision++) {
      const missed = this.#expected(watch, revision);
      check(missed.length === 0, `revision ${revision} is missing ${when} (W3)`);
    }
  }

  #expected({ request }: Watch, revision: number): Event[] {
    const key = request.key.length === 0 ? Uint8Array.of(0) : request.key;
    const range = keyRangeOf(key, request.rangeEnd);
    const unwanted = request.filters.map((filter) =>
      filter === 0 ? Event_EventType.PUT : Event_EventType.DELETE,
    );
    return (this.#oracle.history.get(revision) ?? []).filter(({ type, kv }) => {
      if (!kv || unwanted.includes(type) || compareBytes(kv.key, range.start) < 0) return false;
      return range.end === null || compareBytes(kv.key, range.end) < 0;
    });
  }

  /** W4, W9: the whole revision, with the right contents. */
  #compare({ request }: Watch, got: Event[], expected: Event[], revision: number): void {
    const where = `of revision ${revision}`;
    check(got.length === expected.length, `${got.length} of ${expected.length} events ${where}`);
    for (const [i, { type, kv, prevKv }] of got.entries()) {
      const wanted = expected[i];
      check(type === wanted?.type, `the type ${where} (W9)`);
      check(sameKv(kv, wanted?.kv), `event ${i} ${where} (W9)`);
      if (!request.prevKv) check(prevKv === undefined, `a previous value ${where}, unasked (W9)`);
      else if (prevKv === undefined) {
        const known = wanted?.prevKv && revision - 1 >= this.#oracle.machine.compactRevision;
        check(!known, `no previous value ${where} (W9)`);
      } else check(sameKv(prevKv, wanted?.prevKv), `the previous value ${where} (W9)`);
    }
  }
}

function sameKv(a: Event['kv'], b: Event['kv']): boolean {
  if (a === undefined || b === undefined) return a === b;
  const numbers =
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.version === b.version &&
    a.lease === b.lease;
  return numbers && textOf(a.key) === textOf(b.key) && equalBytes(a.value, b.value);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Broken(message);
}
