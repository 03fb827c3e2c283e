import type { ErrorName } from '../../../src/api/error.ts';
import type { Command } from '../../../src/api/gen/command_pb.ts';
import type { ConfState } from '../../../src/raft/message.ts';

/** Who belongs to the cluster, as the commands of the log say. */
export class ModelMembers {
  /** By id, whether it only learns. */
  readonly #members: Map<bigint, boolean>;
  readonly #removed = new Set<bigint>();

  constructor(founders: readonly bigint[]) {
    this.#members = new Map(founders.map((id) => [id, false]));
  }

  get confState(): ConfState {
    const ids = (learners: boolean) =>
      [...this.#members]
        .filter(([, learns]) => learns === learners)
        .map(([id]) => idOf(id))
        .sort();
    const [voters, learners] = [ids(false), ids(true)];
    return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
  }

  isMember(id: bigint): boolean {
    return this.#members.has(id);
  }

  /** Why the change is refused; null when it is made. */
  change(request: Command['request']): ErrorName | null {
    if (request.case === 'memberAdd') return this.#add(request.value);
    if (request.case === 'memberRemove') return this.#remove(request.value.memberId);
    if (request.case === 'memberPromote') return this.#promote(request.value.memberId);
    throw new Error('the workload made another change of members');
  }

  #add({ memberId, isLearner }: { memberId: bigint; isLearner: boolean }): ErrorName | null {
    if (this.#members.has(memberId) || this.#removed.has(memberId)) return 'memberExists';
    this.#members.set(memberId, isLearner);
    return null;
  }

  #remove(id: bigint): ErrorName | null {
    const learns = this.#members.get(id);
    if (learns === undefined) return 'memberNotFound';
    const voters = [...this.#members.values()].filter((other) => !other).length;
    if (!learns && voters === 1) return 'notEnoughStartedMembers';
    this.#members.delete(id);
    this.#removed.add(id);
    return null;
  }

  #promote(id: bigint): ErrorName | null {
    const learns = this.#members.get(id);
    if (learns === undefined) return 'memberNotFound';
    if (!learns) return 'memberNotLearner';
    this.#members.set(id, false);
    return null;
  }
}

function idOf(id: bigint): string {
  return id.toString(16).padStart(16, '0');
}
