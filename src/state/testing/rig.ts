import { create, type DescMessage, type MessageShape, toJsonString } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { encodeCommand } from '../../api/command.ts';
import { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import { EventSchema } from '../../api/gen/kv_pb.ts';
import {
  CompactionResponseSchema,
  DeleteRangeResponseSchema,
  LeaseGrantResponseSchema,
  LeaseRevokeResponseSchema,
  PutResponseSchema,
  type RangeRequest,
  RangeRequestSchema,
  RangeResponseSchema,
  TxnResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { type CommittedEntry, type OpenSnapshot, StateMachine } from '../machine.ts';
import { MemoryStateStore, type MemoryStoreImage } from '../memory_store.ts';
import { SnapshotReceiver } from '../snapshot.ts';
import { validateTxn } from '../validate.ts';
import { Model } from './model.ts';

const RESPONSES: Partial<Record<NonNullable<Command['request']['case']>, DescMessage>> = {
  put: PutResponseSchema,
  deleteRange: DeleteRangeResponseSchema,
  txn: TxnResponseSchema,
  compaction: CompactionResponseSchema,
  leaseGrant: LeaseGrantResponseSchema,
  leaseRevoke: LeaseRevokeResponseSchema,
  leaseExpire: LeaseRevokeResponseSchema,
};

/**
 * What a machine and the model do differently: an error of its own, so that a seeded bug can be
 * told from a broken test.
 */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

interface Sending {
  readonly snapshot: OpenSnapshot;
  readonly target: MemoryStateStore;
  readonly receiver: SnapshotReceiver;
  readonly model: Model;
  readonly chain: number;
}

const EVERY_KEY = create(RangeRequestSchema, {
  key: Uint8Array.of(0),
  rangeEnd: Uint8Array.of(0),
  countOnly: true,
});

/** A state machine on a disk that can crash, driven beside the model. */
export class Rig {
  readonly bugs: ReadonlySet<string>;
  #store = new MemoryStateStore();
  #machine: StateMachine;
  #model = new Model();
  #entries: CommittedEntry[] = [];
  #chains: number[] = [0];
  #durable: MemoryStoreImage;
  #hashes = new Map<number, number>();
  #sending: Sending | null = null;

  constructor(bugs: ReadonlySet<string> = new Set()) {
    this.bugs = bugs;
    this.#machine = this.#open(this.#store);
    this.#durable = this.#store.image();
  }

  #open(store: MemoryStateStore): StateMachine {
    const { versionIndexBytesMax } = limits;
    const previousWanted = () => this.#previousWanted();
    return new StateMachine(store, this.bugs, { versionIndexBytesMax, previousWanted });
  }

  /** By turns, so that puts find what they replace by all ways there are. */
  #previousWanted(): boolean {
    return this.#entries.length % 4 === 0;
  }

  get revision(): bigint {
    return this.#model.revision;
  }

  get machine(): StateMachine {
    return this.#machine;
  }

  get store(): MemoryStateStore {
    return this.#store;
  }

  /**
   * Applies a command to both; requests that a member would not propose are left out.
   * @param onlyInTerm the entry has the term 1
   */
  command(request: Command['request'], repeated = false, onlyInTerm = 0n): void {
    if (request.case === 'txn' && !isValid(request.value)) return;
    const sequence = BigInt(this.#entries.length + 1);
    const data = encodeCommand({ memberId: 'm1', epoch: 1n, sequence, onlyInTerm, request });
    this.#apply(data);
    const model = this.#model.apply(request, onlyInTerm > 1n);
    const result = must(this.#last, 'no result');
    const schema = must(RESPONSES[must(request.case, 'no case')], 'no schema');
    same(`error of ${request.case}`, result.error?.message ?? null, model.error);
    same(
      `response of ${request.case}`,
      result.response && shown(schema, result.response as MessageShape<DescMessage>),
      model.response && shown(schema, model.response as MessageShape<DescMessage>),
    );
    const events = model.error ? [] : this.#model.eventsFrom(this.#model.revision);
    const expected = result.events.length > 0 || !model.error ? events : [];
    if (result.events.length > 0) {
      const wanted = expected.map((event, i) => {
        const isKnown = this.#previousWanted() || result.events[i]?.prevKv !== undefined;
        const { prevKv, ...unknowing } = event;
        return shown(EventSchema, isKnown ? event : unknowing);
      });
      same(
        'events',
        result.events.map((event) => shown(EventSchema, event)),
        wanted,
      );
    }
    same('revision', BigInt(this.#machine.revision), this.#model.revision);
    same('compact revision', BigInt(this.#machine.compactRevision), this.#model.compactRevision);
    if (repeated) this.#repeat(data);
  }

  /** The same proposal once more in the log: it must have no effect. */
  #repeat(data: Uint8Array): void {
    this.#apply(data);
    same('a repeated command', this.#last, null);
    same('revision', BigInt(this.#machine.revision), this.#model.revision);
  }

  #last: ReturnType<StateMachine['apply']> = null;

  #apply(data: Uint8Array): void {
    const entry = { index: this.#entries.length + 1, term: 1, data };
    this.#entries.push(entry);
    this.#last = this.#machine.apply(entry);
    this.#chains.push(this.#machine.chain);
  }

  flush(): void {
    this.#machine.flush();
  }

  /** What was written is on the disk now. */
  sync(): void {
    this.#durable = this.#store.image();
  }

  compactSlice(): void {
    this.#machine.compactSlice();
  }

  /** Loses memory and everything after the last sync; the log brings it back. */
  crash(): void {
    this.#endSnapshot();
    this.#store.restore(this.#durable);
    this.#machine = this.#open(this.#store);
    this.#catchUp(this.#machine);
  }

  /** Takes over the state of a snapshot that was opened some commands ago. */
  snapshot(step: 'open' | 'chunk' | 'install'): void {
    if (step === 'open' && this.#sending === null) {
      const target = new MemoryStateStore();
      const snapshot = this.#machine.openSnapshot();
      same('snapshot index', snapshot.index, this.#entries.length);
      this.#sending = {
        snapshot,
        target,
        receiver: new SnapshotReceiver(target),
        model: this.#model.clone(),
        chain: this.#machine.chain,
      };
    }
    if (this.#sending === null) return;
    if (step === 'chunk') this.#sendChunk(this.#sending);
    if (step === 'install') this.#install(this.#sending);
  }

  /** Compares what both answer. */
  check(request: RangeRequest): void {
    this.#compareRange(this.#machine, this.#model, request);
  }

  /** Compares everything that can be read: every revision, every event, every lease. */
  checkAll(): void {
    this.#checkMachine(this.#machine, this.#model);
    const { keyCount } = this.#machine.status;
    same('number of keys', keyCount, Number(this.#machine.range(EVERY_KEY).count));
    const low = Math.max(this.#machine.compactRevision, 1);
    for (let revision = low; revision <= this.#machine.revision; revision++) {
      const { hash } = this.#machine.hashKv(revision);
      same(`hash of revision ${revision}`, hash, this.#hashes.get(revision) ?? hash);
      this.#hashes.set(revision, hash);
    }
  }

  /** Works until nothing is left to remove. */
  compactFully(): void {
    this.#endSnapshot();
    while (this.#machine.compactSlice());
    same('compaction', this.#machine.compactionPending, false);
  }

  #catchUp(machine: StateMachine): void {
    same('chain at load', machine.chain, this.#chains[machine.appliedIndex]);
    for (const entry of this.#entries.slice(machine.appliedIndex)) {
      machine.apply(entry);
      same(`chain at ${entry.index}`, machine.chain, this.#chains[entry.index]);
    }
  }

  #sendChunk({ snapshot, receiver }: Sending): boolean {
    const chunk = snapshot.next();
    if (chunk === null) return false;
    receiver.write(chunk);
    return true;
  }

  #install(sending: Sending): void {
    while (this.#sendChunk(sending));
    const { snapshot, receiver, target, model, chain } = sending;
    same('snapshot index', receiver.finish().index, snapshot.index);
    target.stageInstall();
    const machine = this.#open(target);
    same('chain of the snapshot', machine.chain, chain);
    this.#checkMachine(machine, model);
    this.#endSnapshot();
    this.#catchUp(machine);
    this.#store = target;
    this.#machine = machine;
    this.#durable = target.image();
  }

  #endSnapshot(): void {
    this.#sending?.snapshot.close();
    this.#sending = null;
  }

  #checkMachine(machine: StateMachine, model: Model): void {
    const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
    for (let revision = -1n; revision <= model.revision + 1n; revision++) {
      this.#compareRange(machine, model, create(RangeRequestSchema, { ...all, revision }));
    }
    const from = model.compactRevision > 0n ? model.compactRevision : 1n;
    const budget = { revisionsMax: 1_000_000, bytesMax: 1_000_000_000 };
    same(
      `events from ${from}`,
      machine
        .eventsFrom(Number(from), true, budget)
        .flatMap(({ events }) => events.map((event) => shown(EventSchema, event))),
      model.eventsFrom(from).map((event) => shown(EventSchema, event)),
    );
    const leases = machine.leases().map(({ id }) => id);
    same('leases', leases.sort(byNumber), [...model.leases.keys()].sort(byNumber));
    for (const id of leases) {
      const info = machine.leaseTimeToLive(id, true);
      same(`keys of lease ${id}`, info?.keys.map(String), model.keysOfLease(id).map(String));
    }
  }

  #compareRange(machine: StateMachine, model: Model, request: RangeRequest): void {
    same(
      `range ${toJsonString(RangeRequestSchema, request)}`,
      outcome(() => shown(RangeResponseSchema, machine.range(request))),
      outcome(() => shown(RangeResponseSchema, model.range(request))),
    );
  }
}

function isValid(request: Parameters<typeof validateTxn>[0]): boolean {
  try {
    validateTxn(request, 100);
    return true;
  } catch (error) {
    if (error instanceof EtcdError) return false;
    throw error;
  }
}

function outcome(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof EtcdError) return error.message;
    throw error;
  }
}

function shown<D extends DescMessage>(schema: D, message: MessageShape<D>): string {
  return toJsonString(schema, message);
}

function byNumber(a: bigint, b: bigint): number {
  return a < b ? -1 : 1;
}

function same(what: string, actual: unknown, expected: unknown): void {
  try {
    expect(actual).toEqual(expected);
  } catch (error) {
    throw new Mismatch(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
