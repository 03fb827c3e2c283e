import { type ConfState, type Entry, EntryKind } from '../../../src/raft/message.ts';
import type { PersistBatch } from '../../../src/raft/output.ts';
import type { RaftStatus } from '../../../src/raft/raft.ts';
import type { Coverage } from '../coverage.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { CommittedEntry, CommittedLog } from './committed_log.ts';
import type { View } from './view.ts';

/** A configuration, and the entry that has made it so. */
interface Made {
  readonly index: number;
  readonly confState: ConfState;
}

/** M1 to M6: the configurations that the log has made, one after the other. */
export class ConfigurationChecker {
  readonly #log: CommittedLog;
  readonly #coverage: Coverage;
  readonly #made: Made[];

  constructor(log: CommittedLog, coverage: Coverage) {
    this.#log = log;
    this.#coverage = coverage;
    this.#made = [{ index: 0, confState: log.model.members.confState }];
    log.onCommit((entry) => this.#committed(entry));
  }

  get current(): ConfState {
    return this.#upTo(Number.POSITIVE_INFINITY)[0] ?? nobody();
  }

  /** The configuration of now and the one before it: not everybody has applied the change yet. */
  get latest(): ConfState[] {
    return this.#upTo(Number.POSITIVE_INFINITY).slice(0, 2);
  }

  /** By whose members the entry is committed: those before it, also when it changes them. */
  countedFor(index: number): ConfState {
    return this.#upTo(index - 1)[0] ?? nobody();
  }

  /** M6: what the core counts with and what the state machine tells are what the log says. */
  stepped(instance: Instance, { confState: counted }: RaftStatus): void {
    if (this.#made.length === 1) return;
    const { machine } = instance.node;
    // One that has got nothing yet knows nobody.
    if (machine.appliedIndex === 0) return;
    const [expected = nobody()] = this.#upTo(machine.appliedIndex);
    holds(nameOf(counted) === nameOf(expected), 'M6', () => {
      return `${instance.name} counts ${nameOf(counted)} at ${machine.appliedIndex}, must be ${nameOf(expected)}`;
    });
    const told = machine.membership.all.map(({ id }) => id.toString(16).padStart(16, '0')).sort();
    const members = [...expected.voters, ...expected.learners].sort();
    holds(told.join() === members.join(), 'M6', () => {
      return `${instance.name} tells of the members ${told}, must be ${members}`;
    });
  }

  /** A restarted member knows of its log what its rows say. */
  started(instance: Instance, view: View): void {
    this.#checkKnown(instance, [...view.uncommitted.values()]);
  }

  /** M2, before a leader writes a change: none is under way, and its term is established. */
  writing(instance: Instance, view: View, { entries }: PersistBatch): void {
    const { role, term, commit } = instance.node.status.raft;
    const first = entries[0]?.index ?? 0;
    if (entries.some(({ kind }) => kind === EntryKind.confChange)) {
      const kept = [...view.uncommitted.values()].filter(({ index }) => index < first);
      this.#checkKnown(instance, [...kept, ...entries]);
    }
    if (role !== 'leader') return;
    const changes = entries.filter(
      ({ kind, term: of }) => kind === EntryKind.confChange && of === term,
    );
    const [change] = changes;
    if (change === undefined) return;
    const open = [...view.uncommitted.values()].filter(({ kind, index }) => {
      return kind === EntryKind.confChange && index < change.index;
    });
    const pending = open.filter(({ index }) => index > instance.node.machine.appliedIndex);
    holds(changes.length === 1 && pending.length === 0, 'M2', () => {
      return `${instance.name} proposes the change ${change.index} while ${pending[0]?.index} is open`;
    });
    const committed = Math.min(commit, this.#log.lastIndex);
    holds(this.#log.termAt(committed) === term, 'M2', () => {
      return `${instance.name} proposes the change ${change.index} in term ${term}, where nothing is committed`;
    });
  }

  /**
   * Whoever holds a change knows that the one before it is committed: so nobody stands for election
   * in a configuration that is older than the one before the last.
   */
  #checkKnown({ name, node }: Instance, log: readonly Entry[]): void {
    const { commit } = node.status.raft;
    const open = log.filter(({ kind, index }) => kind === EntryKind.confChange && index > commit);
    holds(open.length <= 1, 'M2', () => {
      const indexes = open.map(({ index }) => index).join(' and ');
      return `${name} holds the changes ${indexes}, and knows only that ${commit} is committed`;
    });
  }

  #committed({ entry, answer }: CommittedEntry): void {
    if (entry.kind !== EntryKind.confChange || answer?.type !== 'done') return;
    const before = this.current;
    const confState = this.#log.model.members.confState;
    // M1: at most one voter more or less, so that every majority meets every other.
    const all = new Set([...before.voters, ...confState.voters]);
    const common = before.voters.filter((id) => confState.voters.includes(id));
    holds(all.size - common.length <= 1, 'M1', () => {
      return `entry ${entry.index} goes from ${nameOf(before)} to ${nameOf(confState)} in one step`;
    });
    this.#made.push({ index: entry.index, confState });
    this.#coverage.add('configurationsChanged');
  }

  /** Newest first. */
  #upTo(index: number): ConfState[] {
    const known = this.#made.filter((made) => made.index <= index);
    return known.map(({ confState }) => confState).reverse();
  }
}

function nobody(): ConfState {
  return { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

function nameOf({ voters, learners }: ConfState): string {
  const short = (ids: readonly string[]) => ids.map((id) => Number(`0x${id}`)).join(' ');
  return `(${short(voters)}; ${short(learners)})`;
}
