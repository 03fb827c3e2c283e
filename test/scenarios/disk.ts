import { assert, must } from '../../src/lib/assert.ts';
import { textOf, toHex } from '../../src/lib/bytes.ts';
import { type ConfState, type Entry, EntryKind, type Message } from '../../src/raft/message.ts';
import type { HardState, PersistBatch } from '../../src/raft/output.ts';
import type { InitialState, LogReader } from '../../src/raft/storage.ts';

/** What the state machine of a scenario holds: one line per applied entry, `term=data`. */
export type AppliedState = readonly string[];

/** One write of an instance: on its way to the disk until it is confirmed. */
export interface Write {
  /** Null when the turn only applied entries. */
  readonly batch: PersistBatch | null;
  /** Written in the same transaction: what the state machine had applied by then. */
  readonly state: AppliedState;
  /** The configuration as of that state. */
  readonly confState: ConfState;
  /** Held back until the write is durable. */
  readonly held: Message[];
}

/**
 * The durable rows of one member. Only confirmed writes are here, so that a crash loses exactly
 * what was not confirmed.
 */
export class Disk implements LogReader {
  hardState: HardState = { term: 0, vote: null };
  epoch = 0;
  state: AppliedState = [];
  #snapshot: { index: number; term: number };
  #confState: ConfState;
  #entries: Entry[] = [];
  #commit = 0;
  /** Snapshots whose bytes have arrived and which are not installed yet. */
  readonly staged = new Map<string, AppliedState>();

  constructor(confState: ConfState) {
    this.#snapshot = { index: 0, term: 0 };
    this.#confState = confState;
  }

  get firstIndex(): number {
    return this.#snapshot.index + 1;
  }

  get lastIndex(): number {
    return this.#snapshot.index + this.#entries.length;
  }

  get confState(): ConfState {
    return this.#confState;
  }

  get log(): readonly Entry[] {
    return this.#entries;
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] {
    assert(low >= this.firstIndex, `reads entry ${low}, compacted up to ${this.#snapshot.index}`);
    assert(low < high && high <= this.lastIndex + 1, `reads [${low}, ${high}), not all durable`);
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(low - this.firstIndex, high - this.firstIndex)) {
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  term(index: number): number {
    if (index === this.#snapshot.index) return this.#snapshot.term;
    return must(this.#entries[index - this.firstIndex], `term of ${index} is not on disk`).term;
  }

  /** A write becomes durable. */
  confirm({ batch, state, confState }: Write): void {
    if (batch) this.#confirmBatch(batch);
    this.state = state;
    this.#confState = confState;
  }

  #confirmBatch(batch: PersistBatch): void {
    if (batch.hardState) this.hardState = batch.hardState;
    if (batch.snapshot) {
      const { index, term } = batch.snapshot.meta;
      this.#snapshot = { index, term };
      this.#entries = [];
      this.staged.delete(batch.snapshot.transferId);
    }
    const first = batch.entries[0];
    if (first) {
      const keep = first.index - this.firstIndex;
      assert(keep >= 0 && keep <= this.#entries.length, `row ${first.index} leaves a gap`);
      this.#entries = [...this.#entries.slice(0, keep), ...batch.entries];
    }
    this.#commit = Math.max(this.#commit, Math.min(batch.commit, this.lastIndex));
  }

  /** Forgets the log up to an index which the durable state has reached. */
  compact(index: number): void {
    assert(index <= this.state.length, `compacts to ${index}, state at ${this.state.length}`);
    const term = this.term(index);
    this.#entries = this.#entries.slice(index + 1 - this.firstIndex);
    this.#snapshot = { index, term };
  }

  /** Rows as an earlier life would have left them. */
  prepare(rows: {
    readonly hardState: HardState;
    readonly entries: readonly Entry[];
    readonly applied: number;
    readonly confState: ConfState;
  }): void {
    this.hardState = rows.hardState;
    this.#entries = [...rows.entries];
    this.#confState = rows.confState;
    this.#commit = rows.applied;
    this.state = rows.entries.slice(0, rows.applied).map(stateLine);
  }

  /** What a new instance starts from. */
  initial(): InitialState {
    return {
      hardState: this.hardState,
      snapshot: { ...this.#snapshot, confState: this.#confState },
      lastIndex: this.lastIndex,
      commit: Math.max(this.#commit, this.state.length),
      applied: this.state.length,
      confState: this.#confState,
      epoch: this.epoch,
    };
  }
}

/** What applying an entry leaves in the state machine. */
export function stateLine(entry: Entry): string {
  const { term, kind, data } = entry;
  return kind === EntryKind.normal ? `${term}=${textOf(data)}` : `${term}=conf:${toHex(data)}`;
}
