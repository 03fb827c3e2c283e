import { limits } from '../config.ts';
import type { Prng } from '../lib/prng.ts';
import type { ConfState, Entry } from '../raft/message.ts';
import type { OpenSnapshot, StateMachine } from '../state/machine.ts';
import type { MemberDisk } from '../storage/member_disk.ts';

export interface CheckpointPolicy {
  /** Applied entries between compactions of the log. */
  readonly snapshotCount: number;
  /** Entries kept behind the compaction point for slow followers. */
  readonly snapshotCatchUpEntries: number;
  readonly prng: Prng;
}

/**
 * State rows go to the disk in batches; once they are durable there, the log before them may be
 * forgotten. Three steps that must not be confused: flushed, durable, compacted. A log that is
 * forgotten before the state is durable is lost with the next crash.
 */
export class Checkpoints {
  readonly #disk: MemberDisk;
  readonly #policy: CheckpointPolicy;
  /** The state up to here is in rows; up to `durableIndex` these are known to be durable. */
  #flushedIndex = 0;
  #durableIndex = 0;
  #compactedIndex: number;
  #logBytes = 0;
  /** How much of what may gather before a flush does, until the next one. */
  #flushShare: number;
  /** Snapshots on their way to peers: what follows them must be there when they have arrived. */
  readonly #open = new Set<OpenSnapshot>();
  /** The core knows the configurations from here on: those before it are of an earlier instance. */
  #confIndex: number;

  constructor(
    disk: MemberDisk,
    policy: CheckpointPolicy,
    compactedIndex: number,
    confIndex: number,
  ) {
    this.#confIndex = confIndex;
    this.#disk = disk;
    this.#policy = policy;
    this.#flushShare = drawShare(policy);
    this.#compactedIndex = compactedIndex;
  }

  /** Where rows that are written now will have brought the state; for {@link durable}. */
  get flushedIndex(): number {
    return this.#flushedIndex;
  }

  /** @returns whether there was enough to be worth it */
  flushIfDue(machine: StateMachine): boolean {
    if (!machine.needsFlush(this.#flushShare)) return false;
    this.flush(machine);
    return true;
  }

  /**
   * A flush holds a member up for some ten milliseconds. All apply the same, so they would flush at
   * once; while only one does, the others can be a majority.
   */
  flush(machine: StateMachine): void {
    machine.flush();
    this.#flushShare = drawShare(this.#policy);
    this.#flushedIndex = machine.appliedIndex;
  }

  /** The rows flushed up to here are durable. */
  durable(flushedIndex: number): void {
    this.#durableIndex = flushedIndex;
  }

  /**
   * How far the log may be forgotten: the state is durable, and slower followers find what they
   * need behind it. Null when that would gain little.
   */
  get compactionDue(): number | null {
    const { snapshotCount, snapshotCatchUpEntries } = this.#policy;
    if (this.#open.size > 0) return null;
    // Entries may be large: then those for slower followers are what has to go.
    const isLarge = this.#logBytes >= limits.logCompactionBytes;
    const index = this.#durableIndex - (isLarge ? 0 : snapshotCatchUpEntries);
    if (index < this.#confIndex) return null;
    return index - this.#compactedIndex >= (isLarge ? 1 : snapshotCount) ? index : null;
  }

  /** Entries were written to the log. */
  wrote(entries: readonly Entry[]): void {
    for (const { data } of entries) this.#logBytes += data.length;
  }

  /** A picture of the state as it is now; until it is closed the log behind it is kept. */
  openSnapshot(machine: StateMachine): OpenSnapshot {
    this.flush(machine);
    const source = machine.openSnapshot();
    this.#open.add(source);
    const close = () => {
      this.#open.delete(source);
      source.close();
    };
    return { ...source, close };
  }

  /** To be called when the core has been told: it asks for nothing before the index any more. */
  compact(index: number, confState: ConfState): void {
    // A snapshot that was installed in the same turn has taken the place of that part of the log.
    if (index <= this.#compactedIndex) return;
    this.#disk.compact({ index, term: this.#disk.term(index), confState });
    this.#compactedIndex = index;
    this.#logBytes = 0;
  }

  /** A snapshot took the place of the state and of the log up to here. */
  installed(index: number): void {
    this.#compactedIndex = index;
    this.#confIndex = index;
    this.#logBytes = 0;
    // Those that are open would go on reading from rows that are not theirs.
    for (const source of this.#open) source.close();
    this.#open.clear();
  }
}

/**
 * Where the log is to be short, the state must not be far behind it; but whoever comes back has to
 * catch up before the log that it needs is forgotten again.
 */
function drawShare({ prng, snapshotCount }: CheckpointPolicy): number {
  const most = Math.min(1, Math.max(1 / 4, snapshotCount / limits.overlayCommandsMax));
  return (most * (1 + prng.next())) / 2;
}
