import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  WatchCreateRequest_FilterType as Filter,
  Watch,
  type WatchCreateRequest,
  WatchCreateRequestSchema,
  WatchRequestSchema,
  type WatchResponse,
} from '../../../src/api/gen/rpc_pb.ts';
import { EMPTY_BYTES, utf8 } from '../../../src/lib/bytes.ts';
import { intBetween } from '../../../src/lib/prng.ts';
import { type WatchChecker, WatchedRange } from '../checkers/watches.ts';
import type { Instance } from '../instance.ts';
import { chance, pick } from '../random.ts';
import { holds } from '../violation.ts';
import type { Scene } from './scene.ts';
import { StreamClient } from './stream_client.ts';
import type { Goal, Workload } from './workload.ts';

type Stream = StreamClient<typeof Watch.method.watch.input, typeof Watch.method.watch.output>;

const WATCHERS = 4;
const OPEN_END = new Uint8Array([0]);
/** In a response that is about the whole stream. */
const WHOLE_STREAM = -1n;

/** Clients that watch: several ranges each, over one stream after the other. */
export class WatchWorkload implements Workload {
  readonly #watchers: Watcher[];

  constructor(scene: Scene, checker: WatchChecker) {
    this.#watchers = Array.from({ length: WATCHERS }, (_, i) => new Watcher(scene, checker, i));
  }

  start(): void {
    for (const watcher of this.#watchers) watcher.start();
  }

  get goals(): readonly Goal[] {
    const missing = () => {
      const reasons = this.#watchers.map((watcher) => watcher.missing());
      return reasons.find((reason) => reason !== null) ?? null;
    };
    return [{ invariant: 'V6', missing, extraMs: 0 }];
  }
}

/** One client. What it has heard of survives its streams: it goes on after that. */
class Watcher {
  readonly #scene: Scene;
  readonly #checker: WatchChecker;
  readonly #name: string;
  /** By watch id, what it wants to know. */
  readonly #ranges = new Map<bigint, WatchedRange>();
  /** Watch ids of the present stream that the member has confirmed. */
  readonly #confirmed = new Set<bigint>();
  readonly #readMs: number;
  #stream: Stream | null = null;
  #rangesMade = 0;
  #lastRevision = 1;

  constructor(scene: Scene, checker: WatchChecker, number: number) {
    this.#scene = scene;
    this.#checker = checker;
    this.#name = `watcher ${number}`;
    const slow = chance(scene.prng, 0.3);
    this.#readMs = slow ? scene.world.plan.electionTimeoutMs * 0.3 : 0;
  }

  start(): void {
    const { world, prng } = this.#scene;
    const every = world.plan.electionTimeoutMs * 1.5;
    world.after(every * prng.next(), () => this.#connect());
    this.#keepActing(every);
  }

  /** What it has not been told yet. */
  missing(): string | null {
    if (this.#stream === null || this.#stream.over) {
      this.#connect();
      return `stream for ${this.#name}`;
    }
    for (const [id, range] of this.#ranges) {
      const { name, next } = range;
      const where = this.#stream.instance.name;
      if (!this.#confirmed.has(id)) return `answer for ${name} at ${where}`;
      if (!this.#checker.isCaughtUp(range)) return `revision ${next} for ${name} at ${where}`;
    }
    return null;
  }

  /** Does something now and then; also finds out that its member is gone. */
  #keepActing(meanMs: number): void {
    this.#scene.later(meanMs, () => {
      this.#act();
      this.#keepActing(meanMs);
    });
  }

  #act(): void {
    const stream = this.#stream;
    if (stream === null || stream.over) return this.#connect();
    const kind = this.#scene.prng.next();
    if (kind < 0.15) this.#lose(stream);
    else if (kind < 0.3) this.#hibernate(stream);
    else if (kind < 0.6) stream.request(requestOf({ case: 'progressRequest', value: {} }));
    else if (kind < 0.75) this.#cancelOne(stream);
    else if (this.#ranges.size < 4) this.#add();
  }

  #lose(stream: Stream): void {
    this.#scene.world.coverage.add('watchStreamsLost');
    stream.close();
    this.#connect();
  }

  /** Its instance sleeps for a while; the client notices nothing. */
  #hibernate(stream: Stream): void {
    const { world, prng } = this.#scene;
    const saved = stream.hibernate();
    if (saved === null || this.#confirmed.size < this.#ranges.size) return;
    world.coverage.add('watchStreamsHibernated');
    const { instance } = stream;
    stream.close();
    const resumed = this.#streamTo(instance);
    this.#stream = resumed;
    const copy: unknown = JSON.parse(JSON.stringify(saved));
    world.after(world.plan.electionTimeoutMs * prng.next(), () => resumed.open(copy));
  }

  #cancelOne(stream: Stream): void {
    const ids = [...this.#confirmed];
    if (ids.length === 0) return;
    const watchId = pick(this.#scene.prng, ids);
    this.#scene.world.coverage.add('watchesCanceled');
    stream.request(requestOf({ case: 'cancelRequest', value: { watchId } }));
  }

  #connect(): void {
    const instance = this.#scene.choose();
    if (instance === null) return;
    // Where it goes on is where the checks have come to.
    this.#checker.settle();
    for (const [id, range] of [...this.#ranges]) {
      // Canceled, or never confirmed: from where it would go on nobody knows.
      if (range.over || range.next === null) this.#ranges.delete(id);
    }
    this.#confirmed.clear();
    this.#stream = this.#streamTo(instance);
    this.#stream.open();
    for (const [id, range] of this.#ranges) {
      this.#scene.world.coverage.add('watchesResumed');
      this.#request(id, range, range.next ?? 0);
    }
    if (this.#ranges.size === 0) this.#add();
  }

  #streamTo(instance: Instance): Stream {
    const stream: Stream = new StreamClient(
      this.#scene.world,
      instance,
      Watch.method.watch,
      {
        frame: (response) => {
          if (this.#stream !== stream) return;
          this.#receive(response);
          // A slow reader reads between the steps of members.
          if (this.#readMs > 0) this.#checker.settle();
        },
        ended: () => {},
      },
      this.#readMs,
    );
    return stream;
  }

  #add(): void {
    this.#rangesMade += 1;
    const id = BigInt(this.#rangesMade);
    const range = new WatchedRange(`${this.#name}.${id}`, this.#draw(id));
    this.#ranges.set(id, range);
    this.#scene.world.coverage.add('watchesCreated');
    this.#request(id, range, Number(range.request.startRevision));
  }

  #request(watchId: bigint, range: WatchedRange, startRevision: number): void {
    const value = { ...range.request, watchId, startRevision: BigInt(startRevision) };
    this.#stream?.request(requestOf({ case: 'createRequest', value }));
  }

  #draw(watchId: bigint): WatchCreateRequest {
    const { prng } = this.#scene;
    const [a, b] = [intBetween(prng, 0, 9), intBetween(prng, 0, 9)];
    const around = this.#lastRevision + intBetween(prng, -15, 6);
    const single = chance(prng, 0.3);
    const all = chance(prng, 0.5);
    return create(WatchCreateRequestSchema, {
      watchId,
      key: !single && all ? OPEN_END : utf8(`k${Math.min(a, b)}`),
      rangeEnd: single ? EMPTY_BYTES : all ? OPEN_END : utf8(`k${Math.max(a, b)}~`),
      startRevision: chance(prng, 0.4) ? 0n : BigInt(Math.max(1, around)),
      prevKv: chance(prng, 0.5),
      progressNotify: chance(prng, 0.4),
      filters: pick(prng, [[], [], [Filter.NOPUT], [Filter.NODELETE]]),
    });
  }

  #receive(response: WatchResponse): void {
    const { watchId, events } = response;
    const revision = Number(response.header?.revision ?? 0n);
    this.#lastRevision = Math.max(this.#lastRevision, revision);
    this.#scene.world.note(this.#name, 'is told', storyOf(response));
    if (watchId === WHOLE_STREAM) {
      const { canceled, cancelReason } = response;
      holds(!canceled, 'W3', () => `a watch of ${this.#name} is refused: ${cancelReason}`);
      return this.#progress(revision);
    }
    const range = this.#ranges.get(watchId);
    if (range === undefined) return;
    if (response.created) this.#created(watchId, range, response);
    else if (response.canceled) this.#canceled(watchId, range, response);
    else if (events.length > 0) this.#checker.events(range, response);
    else this.#checker.progress(range, revision);
  }

  #progress(revision: number): void {
    for (const id of this.#confirmed) {
      const range = this.#ranges.get(id);
      if (range !== undefined) this.#checker.progress(range, revision);
    }
  }

  #created(id: bigint, range: WatchedRange, response: WatchResponse): void {
    this.#confirmed.add(id);
    this.#checker.created(range, response);
  }

  #canceled(id: bigint, range: WatchedRange, { compactRevision }: WatchResponse): void {
    if (compactRevision > 0n) this.#checker.compacted(range, Number(compactRevision));
    range.over = true;
    this.#ranges.delete(id);
    this.#confirmed.delete(id);
  }
}

/** For the trace. */
function storyOf({ watchId, created, canceled, events, header }: WatchResponse): string {
  const what = created ? 'created ' : canceled ? 'canceled ' : '';
  const revisions = events.map(({ kv }) => kv?.modRevision).join(' ');
  return `watch ${watchId} ${what}[${revisions}] at ${header?.revision}`;
}

function requestOf(requestUnion: MessageInitShape<typeof WatchRequestSchema>['requestUnion']) {
  return create(WatchRequestSchema, requestUnion === undefined ? {} : { requestUnion });
}
