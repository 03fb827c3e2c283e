import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../../src/api/error.ts';
import { type V2Change, V2ChangeSchema, V2Method } from '../../../src/api/gen/command_pb.ts';
import { V2Error } from '../../../src/api/v2/error.ts';
import type { KeysRequest } from '../../../src/api/v2/keys_request.ts';
import { intBetween } from '../../../src/lib/prng.ts';
import type { OperationChecker } from '../checkers/reads.ts';
import type { V2Checker } from '../checkers/v2.ts';
import type { Clients } from '../clients.ts';
import type { Cluster } from '../cluster.ts';
import type { Instance } from '../instance.ts';
import { chance, pick } from '../random.ts';
import type { Scene } from './scene.ts';
import type { Goal, Workload } from './workload.ts';

const WRITERS = 4;
const READERS = 2;
const WATCHERS = 2;
const PATHS = ['/a', '/b', '/d', '/d/x', '/d/y', '/d/e/z'];
const TTL_SECONDS_MAX = 3;
/** The leader looks every half second, and proposes what is over. */
const EXPIRY_SLACK_MS = 4_000;

const READ: Omit<KeysRequest, 'path'> = {
  method: 'GET',
  value: '',
  dir: false,
  prevValue: '',
  prevIndex: 0,
  prevExist: null,
  ttlSeconds: null,
  refresh: false,
  recursive: false,
  sorted: false,
  quorum: true,
  wait: false,
  waitIndex: 0,
  stream: false,
  noValueOnSuccess: false,
};

/**
 * Clients of v2: they create, set, swap and delete few keys, some of which end by themselves, read
 * with a quorum, and watch everything, at whichever member.
 */
export class V2Workload implements Workload {
  readonly #scene: Scene;
  readonly #clients: Clients;
  readonly #operations: OperationChecker;
  readonly #tree: V2Checker;
  readonly #cluster: Cluster;
  #values = 0;
  /** The newest index that a client has seen: comparisons are drawn from near it. */
  #seenIndex = 3;

  constructor(scene: Scene, cluster: Cluster, clients: Clients) {
    this.#scene = scene;
    this.#cluster = cluster;
    this.#clients = clients;
    this.#operations = cluster.checkers.operations;
    this.#tree = cluster.checkers.tree;
  }

  start(): void {
    for (let i = 0; i < WRITERS; i++) this.#write();
    for (let i = 0; i < READERS; i++) this.#read();
    for (let i = 0; i < WATCHERS; i++) this.#watch(0);
  }

  /** T4: what is over by the leader's clock ends. */
  get goals(): readonly Goal[] {
    const missing = () => {
      const { tree } = this.#cluster.checkers.committed.model;
      const over = tree.endingBefore(this.#leaderClockMs() - EXPIRY_SLACK_MS);
      return over === 0 ? null : `end of ${over} nodes whose time is over`;
    };
    return [{ invariant: 'T4', missing, extraMs: 2 * EXPIRY_SLACK_MS }];
  }

  #leaderClockMs(): number {
    return this.#cluster.leaders[0]?.wallClockMs() ?? 0;
  }

  #write(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs / 2, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#write();
      this.#scene.unlessLost(
        (answered) =>
          this.#clients.command(instance, { case: 'v2Change', value: this.#draw(instance) }, () =>
            answered(() => this.#write()),
          ),
        () => this.#write(),
      );
    });
  }

  /** Members' clocks differ by a lot: where it is to end soon, the leader's counts. */
  #expirationMs(instance: Instance): bigint {
    const { prng } = this.#scene;
    const nowMs = chance(prng, 0.3) ? instance.wallClockMs() : this.#leaderClockMs();
    const ttlMs = intBetween(prng, 0, TTL_SECONDS_MAX) * 1000;
    return BigInt(Math.max(1, Math.floor(nowMs) + ttlMs));
  }

  #draw(instance: Instance): V2Change {
    const { prng } = this.#scene;
    const kind = prng.next();
    const ends = chance(prng, 0.3);
    const method = kind < 0.08 ? V2Method.POST : kind < 0.25 ? V2Method.DELETE : V2Method.PUT;
    return create(V2ChangeSchema, {
      method,
      path: `/1${pick(prng, PATHS)}`,
      value: `w${++this.#values}`,
      dir: chance(prng, 0.08),
      recursive: chance(prng, 0.6),
      prevValue: chance(prng, 0.1) ? `w${this.#values - 1}` : '',
      prevIndex: chance(prng, 0.25)
        ? BigInt(Math.max(0, this.#seenIndex - intBetween(prng, 0, 4)))
        : 0n,
      ...(chance(prng, 0.2) ? { prevExist: chance(prng, 0.5) } : {}),
      expirationMs: ends ? this.#expirationMs(instance) : 0n,
    });
  }

  #read(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#read();
      this.#scene.unlessLost(
        (answered) => {
          const run = () => instance.track(this.#get(instance, () => answered(() => this.#read())));
          instance.request('reads the tree', null, run, () => answered(() => this.#read()));
        },
        () => this.#read(),
      );
    });
  }

  async #get(instance: Instance, done: () => void): Promise<void> {
    const path = pick(this.#scene.prng, PATHS);
    const begun = this.#operations.begins(instance);
    try {
      const { event, etcdIndex: index } = await instance.runtime.v2.keys.get({ ...READ, path }, '');
      const { value, modifiedIndex, dir } = event.node;
      if (instance.alive && !dir) {
        this.#seenIndex = Math.max(this.#seenIndex, modifiedIndex);
        this.#tree.read(instance, begun, { path: `/1${path}`, value, modifiedIndex, index });
      }
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const isMissing = error instanceof V2Error && error.errorCode === 100;
      if (isMissing && instance.alive) {
        const nothing = { path: `/1${path}`, value: null, modifiedIndex: 0 };
        this.#tree.read(instance, begun, { ...nothing, index: error.index });
      }
    }
    done();
  }

  /** @param after the index of the last event that this client has heard of; 0: it is new */
  #watch(after: number): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs / 2, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#watch(after);
      const again = () => this.#watch(after);
      instance.request('watches the tree', null, () => this.#open(instance, after), again);
    });
  }

  #open(instance: Instance, after: number): void {
    const { hub } = instance.runtime.v2;
    const { world, prng } = this.#scene;
    let last = after === 0 ? instance.node.machine.v2.index : after;
    let open = true;
    const goOn = (from: number) => {
      if (!open) return;
      open = false;
      this.#watch(from);
    };
    const who = `a watch at ${instance.name}`;
    const spec = { path: '/1', recursive: true, stream: true, fromIndex: last + 1 };
    try {
      const cancel = hub.watch(spec, {
        event: (event) => {
          if (!open) return;
          this.#tree.heard(who, last, event);
          last = event.index;
          this.#seenIndex = Math.max(this.#seenIndex, last);
        },
        // Some of the history is gone: the client begins anew.
        lost: () => goOn(0),
      });
      // The instance may be dead by then: nobody is told any more, and the client goes elsewhere.
      world.afterAbout(world.plan.electionTimeoutMs * intBetween(prng, 1, 12), () => {
        if (instance.alive) cancel();
        goOn(last);
      });
    } catch (error) {
      if (!(error instanceof V2Error)) throw error;
      goOn(0);
    }
  }
}
