import { fromBinary } from '@bufbuild/protobuf';
import { type Command, CommandSchema } from '../../../src/api/gen/command_pb.ts';
import { must } from '../../../src/lib/assert.ts';
import { EMPTY_BYTES, equalBytes, mapKey } from '../../../src/lib/bytes.ts';
import { contextOf } from '../../../src/raft/confchange.ts';
import { type Entry, EntryKind, type MemberId } from '../../../src/raft/message.ts';
import type { Coverage } from '../coverage.ts';
import type { ModelAnswer } from '../model/answer.ts';
import { type ModelRights, NO_RIGHTS } from '../model/auth.ts';
import { ModelMachine, type ModelMoment } from '../model/machine.ts';
import { holds } from '../violation.ts';

/** An entry that some member has reported as committed, and what it did to the model. */
export interface CommittedEntry {
  readonly entry: Entry;
  readonly command: Command | null;
  /** Null when the entry has no effect: it opens a term, or repeats a command. */
  readonly answer: ModelAnswer | null;
  readonly moment: ModelMoment;
  readonly rights: ModelRights;
}

/**
 * What no member has but everybody agrees on: the log as far as anyone has reported it committed.
 * Replayed through the model entry by entry, it says what every answer must be.
 */
export class CommittedLog {
  readonly model: ModelMachine;
  readonly #entries: CommittedEntry[];
  readonly #coverage: Coverage;
  readonly #values = new Set<string>();
  readonly #observers: ((entry: CommittedEntry) => void)[] = [];

  constructor(founders: readonly MemberId[], coverage: Coverage) {
    this.#coverage = coverage;
    this.model = new ModelMachine(founders.map((id) => BigInt(`0x${id}`)));
    // Every log begins after an entry that nobody holds (member/instance.ts).
    const entry = { index: 1, term: 0, kind: EntryKind.normal, data: EMPTY_BYTES };
    this.#entries = [
      { entry, command: null, answer: null, moment: this.model.moment, rights: this.model.rights },
    ];
  }

  get lastIndex(): number {
    return this.#entries.length;
  }

  /** Told of every entry once it is known to be committed. */
  onCommit(observe: (entry: CommittedEntry) => void): void {
    this.#observers.push(observe);
  }

  at(index: number): CommittedEntry {
    return must(this.#entries[index - 1], `nobody has committed ${index}`);
  }

  /** The state after the entry; the empty state at 0. */
  momentAt(index: number): ModelMoment {
    return index === 0 ? { revision: 1, compactRevision: -1, treeIndex: 3 } : this.at(index).moment;
  }

  /** Who may do what after the entry. */
  rightsAt(index: number): { readonly rights: ModelRights } {
    return index === 0 ? { rights: NO_RIGHTS } : this.at(index);
  }

  termAt(index: number): number {
    return index === 0 ? 0 : this.at(index).entry.term;
  }

  /** A member reports the entry committed. @returns whether it is the first to do so. */
  commit(entry: Entry, who: string): boolean {
    const known = this.#entries[entry.index - 1];
    if (known !== undefined) {
      const same = known.entry === entry || isSameEntry(known.entry, entry);
      holds(same, 'L3', () => {
        return `${who} commits ${entry.index} with term ${entry.term}, before it was committed with term ${known.entry.term}`;
      });
      return false;
    }
    holds(
      entry.index === this.lastIndex + 1,
      'L2',
      () => `${who} commits ${entry.index} after a gap`,
    );
    const committed = this.#replay(entry);
    this.#entries.push(committed);
    for (const observe of this.#observers) observe(committed);
    return true;
  }

  #replay(entry: Entry): CommittedEntry {
    const before = this.momentAt(entry.index - 1);
    if (entry.kind === EntryKind.confChange && entry.data.length > 0) {
      const command = fromBinary(CommandSchema, contextOf(entry.data));
      const answer = this.model.changeMembers(command.request);
      return { entry, command, answer, moment: before, rights: this.model.rights };
    }
    if (entry.kind !== EntryKind.normal || entry.data.length === 0) {
      return { entry, command: null, answer: null, moment: before, rights: this.model.rights };
    }
    const command = fromBinary(CommandSchema, entry.data);
    const answer = this.model.apply(command, entry.term);
    if (answer === null) this.#coverage.add('duplicateCommandsDropped');
    else this.#cover(command, answer);
    return { entry, command, answer, moment: this.model.moment, rights: this.model.rights };
  }

  #cover(command: Command, answer: ModelAnswer): void {
    if (answer.type === 'error' && answer.error === 'permissionDenied') {
      this.#coverage.add('requestsDenied');
    }
    if (answer.type === 'error' && answer.error === 'authOldRevision') {
      this.#coverage.add('requestsOfOldRevision');
    }
    if (answer.type === 'txn') {
      this.#coverage.add(answer.succeeded ? 'txnsSucceeded' : 'txnsFailed');
    }
    const { request } = command;
    if (request.case === 'compaction' && answer.type === 'done')
      this.#coverage.add('storeCompactions');
    if (answer.type === 'tree') {
      this.#coverage.add('event' in answer.outcome ? 'treeChanges' : 'treeRefusals');
    }
    if (request.case === 'v2Expire') this.#coverage.add('treeExpiries');
    if (request.case === 'leaseRevoke' && answer.type === 'done')
      this.#coverage.add('leasesRevoked');
    if (request.case !== 'put') return;
    // Clients never write a value twice: one that comes again is one write that took effect twice.
    const value = mapKey(request.value.value);
    holds(!this.#values.has(value), 'S2', () => `the write of ${value} takes effect twice`);
    this.#values.add(value);
  }
}

/** Equal to the last byte. */
export function isSameEntry(a: Entry, b: Entry): boolean {
  return (
    a.index === b.index && a.term === b.term && a.kind === b.kind && equalBytes(a.data, b.data)
  );
}
