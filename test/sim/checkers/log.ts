import { type Entry, EntryKind, type MemberId } from '../../../src/raft/message.ts';
import type { PersistBatch } from '../../../src/raft/output.ts';
import type { RaftStatus } from '../../../src/raft/raft.ts';
import type { Coverage } from '../coverage.ts';
import type { DiskImage } from '../disk_image.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import { type CommittedLog, isSameEntry } from './committed_log.ts';
import type { ConfigurationChecker } from './configurations.ts';
import { isQuorum } from './quorum.ts';
import type { View } from './view.ts';

/** An entry as it was first written anywhere, and the term before it. */
interface Written {
  readonly entry: Entry;
  readonly previousTerm: number | null;
}

/** L1 to L8 and L10: the logs, and what is committed in them. */
export class LogChecker {
  readonly #log: CommittedLog;
  readonly #configurations: ConfigurationChecker;
  readonly #coverage: Coverage;
  readonly #images: ReadonlyMap<MemberId, DiskImage>;
  readonly #written = new Map<string, Written>();
  /** The term of whoever reported the entry as committed first. */
  readonly #committedIn = new Map<number, number>();

  /** @param images the durable image of every member that ever was */
  constructor(
    log: CommittedLog,
    configurations: ConfigurationChecker,
    coverage: Coverage,
    images: ReadonlyMap<MemberId, DiskImage>,
  ) {
    this.#log = log;
    this.#configurations = configurations;
    this.#coverage = coverage;
    this.#images = images;
  }

  /**
   * L1 and L2 by induction: an entry is fine when it, and the term before it, are as anywhere else.
   */
  writing(instance: Instance, view: View, batch: PersistBatch): void {
    const { live } = instance.disk;
    if (batch.snapshot !== null) view.uncommitted.clear();
    const first = batch.entries[0];
    if (first === undefined) return;
    const base = batch.snapshot?.meta ?? null;
    let previousTerm = base?.index === first.index - 1 ? base.term : live.termAt(first.index - 1);
    if (base === null && first.index <= live.lastIndex) {
      this.#coverage.add('conflictingEntriesTruncated');
      for (let i = first.index; i <= live.lastIndex; i++) view.uncommitted.delete(i);
      holds(first.index > view.commit, 'L3', () => {
        return `${instance.name} removes entry ${first.index} although it has committed ${view.commit}`;
      });
    }
    for (const entry of batch.entries) {
      holds(previousTerm === null || entry.term >= previousTerm, 'L2', () => {
        return `${instance.name} writes term ${entry.term} at ${entry.index} after term ${previousTerm}`;
      });
      this.#match(instance, entry, previousTerm);
      view.uncommitted.set(entry.index, entry);
      previousTerm = entry.term;
    }
  }

  /** What has been committed since the last step. */
  stepped(instance: Instance, view: View, status: RaftStatus): void {
    const { live } = instance.disk;
    holds(status.commit >= view.commit, 'L8', () => {
      return `the commit index of ${instance.name} falls from ${view.commit} to ${status.commit}`;
    });
    this.#advance(instance, view, status);
    const applied = instance.node.machine.appliedIndex;
    const ordered =
      live.snapshot.index <= applied &&
      applied <= status.commit &&
      status.commit <= status.lastIndex;
    holds(ordered, 'L7', () => {
      return `${instance.name}: snapshot ${live.snapshot.index}, applied ${applied}, commit ${status.commit}, last ${status.lastIndex} are out of order`;
    });
  }

  /** Adds what the instance has committed to the committed log. */
  #advance(instance: Instance, view: View, status: RaftStatus): void {
    const { live } = instance.disk;
    const before = view.commit;
    for (let index = view.commit + 1; index <= status.commit; index++) {
      // Killed before a snapshot was written that the core has taken over: these rows are replaced.
      const isReplaced = index < status.firstIndex && index > live.snapshot.index;
      const entry = isReplaced ? null : (view.uncommitted.get(index) ?? live.entry(index));
      if (entry !== null) {
        view.uncommitted.delete(index);
        if (this.#log.commit(entry, instance.name)) {
          this.#committedIn.set(index, status.term);
          this.#checkQuorum(instance, entry);
        }
      } else if (index <= live.snapshot.index) this.#checkSnapshot(instance);
      else {
        // In memory only: a follower may know that an entry is committed before it has written it.
        holds(
          index <= this.#log.lastIndex,
          'L7',
          () => `${instance.name} commits ${index} on its own`,
        );
        break;
      }
      view.commit = index;
    }
    if (view.commit > before) this.#checkTerm(instance, view, status);
  }

  /**
   * L4: a new leader has everything that was committed in earlier terms. Not what a later leader
   * has committed, though it was of an earlier term: a vote can arrive when that is over already.
   */
  elected(instance: Instance, term: number): void {
    let index = this.#log.lastIndex;
    while (index > 0 && (this.#committedIn.get(index) ?? 0) >= term) index--;
    const { live } = instance.disk;
    const held = live.snapshot.index >= index || live.termAt(index) === this.#log.termAt(index);
    holds(held, 'L4', () => {
      return `${instance.name} leads term ${term} without the committed entry ${index} of term ${this.#log.termAt(index)}`;
    });
  }

  #match(instance: Instance, entry: Entry, previousTerm: number | null): void {
    const name = `${entry.index}/${entry.term}`;
    const known = this.#written.get(name);
    if (known === undefined) {
      this.#written.set(name, { entry, previousTerm });
      return;
    }
    const same =
      (known.entry === entry || isSameEntry(known.entry, entry)) &&
      (previousTerm === null || known.previousTerm === null || previousTerm === known.previousTerm);
    holds(same, 'L1', () => `${instance.name} writes another entry ${name} than exists already`);
  }

  /**
   * Entries that came with a snapshot are not seen one by one: everything up to it was committed
   * before.
   */
  #checkSnapshot(instance: Instance): void {
    const { snapshot } = instance.disk.live;
    const known = snapshot.index <= this.#log.lastIndex;
    holds(known && this.#log.termAt(snapshot.index) === snapshot.term, 'L3', () => {
      return `${instance.name} has a snapshot of ${snapshot.index}/${snapshot.term}, which was not committed`;
    });
  }

  /** L6: enough disks hold it, so that no later leader can be without it. */
  #checkQuorum(instance: Instance, { index, term }: Entry): void {
    const config = this.#configurations.countedFor(index);
    const has = (id: MemberId) => this.#holds(id, index, term);
    holds(isQuorum(config, has), 'L6', () => {
      const { length } = config.voters.filter(has);
      return `${instance.name} commits ${index}/${term}, which ${length} of ${config.voters.length} disks hold`;
    });
  }

  #holds(id: MemberId, index: number, term: number): boolean {
    const image = this.#images.get(id);
    if (image === undefined) return false;
    return image.snapshot.index >= index || image.termAt(index) === term;
  }

  /**
   * A leader that has counted an entry of its own term commits no further than to a change of
   * configuration before it: then the change may be of an earlier term. The entry that was counted
   * is on the disks of a majority of those who were members before the change.
   */
  #stopsAtChange(instance: Instance, view: View, status: RaftStatus): boolean {
    if (this.#log.at(view.commit).entry.kind !== EntryKind.confChange) return false;
    const { live } = instance.disk;
    const config = this.#configurations.countedFor(view.commit);
    for (let index = view.commit + 1; index <= live.lastIndex; index++) {
      if (live.termAt(index) !== status.term) continue;
      return isQuorum(config, (id) => this.#holds(id, index, status.term));
    }
    return false;
  }

  /** L5: a leader counts copies of its own term's entries only. */
  #checkTerm(instance: Instance, view: View, status: RaftStatus): void {
    if (status.role !== 'leader' || view.role !== 'leader' || status.term !== view.term) return;
    const ofTerm = this.#log.termAt(view.commit) === status.term;
    holds(ofTerm || this.#stopsAtChange(instance, view, status), 'L5', () => {
      return `${instance.name} leads term ${status.term} and commits ${view.commit} of term ${this.#log.termAt(view.commit)} by counting`;
    });
  }
}
