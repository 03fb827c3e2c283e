import type { MemberId } from '../../../src/raft/message.ts';
import type { HardState } from '../../../src/raft/output.ts';
import type { Coverage } from '../coverage.ts';
import type { DiskChange } from '../disk_image.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';

/** E1 to E3: who leads, and what members have promised for ever. */
export class ElectionChecker {
  readonly #coverage: Coverage;
  readonly #leaders = new Map<number, string>();
  #lastTerm = 0;
  readonly #durable = new Map<MemberId, HardState>();
  readonly #durableVotes = new Map<string, MemberId>();
  /** By `member@term`, durable or only told. */
  readonly #votes = new Map<string, MemberId>();

  constructor(coverage: Coverage) {
    this.#coverage = coverage;
  }

  /** The newest term that has had a leader. */
  get lastTerm(): number {
    return this.#lastTerm;
  }

  /** The instance has become leader of the term. */
  elected(instance: Instance, term: number): void {
    const known = this.#leaders.get(term);
    holds(known === undefined || known === instance.name, 'E1', () => {
      return `${instance.name} is leader of term ${term}, as ${known} is or was`;
    });
    this.#leaders.set(term, instance.name);
    this.#lastTerm = Math.max(this.#lastTerm, term);
    this.#coverage.add('elections');
  }

  /** Rows of the member have become durable. */
  durable(id: MemberId, changes: readonly DiskChange[]): void {
    for (const change of changes) {
      const next = change.type === 'batch' ? change.batch.hardState : null;
      if (next !== null) this.#hardState(id, next);
    }
  }

  /**
   * Whether the vote of the member can never be taken back: it is on disk, or a later term is, so
   * that no vote in this one can follow.
   */
  isVoteSafe(id: MemberId, term: number, vote: MemberId): boolean {
    return this.durableTerm(id) > term || this.#durableVotes.get(`${id}@${term}`) === vote;
  }

  /** E2: the member gives its vote away. */
  votes(id: MemberId, term: number, vote: MemberId): void {
    const name = `${id}@${term}`;
    const known = this.#votes.get(name);
    holds(known === undefined || known === vote, 'E2', () => {
      return `${id} votes for ${vote} in term ${term} after a vote for ${known}`;
    });
    this.#votes.set(name, vote);
  }

  /** The member's durable term. */
  durableTerm(id: MemberId): number {
    return this.#durable.get(id)?.term ?? 0;
  }

  /**
   * E6: a leader never rewrites what it has written as leader. Told before the entries are written.
   */
  writesAsLeader(instance: Instance, firstIndex: number): void {
    const { role, term } = instance.node.status.raft;
    if (role !== 'leader') return;
    const replaced = instance.disk.live.termAt(firstIndex);
    holds(replaced === null || replaced < term, 'E6', () => {
      return `${instance.name} leads term ${term} and rewrites its own entry ${firstIndex}`;
    });
  }

  #hardState(id: MemberId, next: HardState): void {
    const before = this.#durable.get(id);
    holds(before === undefined || next.term >= before.term, 'E3', () => {
      return `the durable term of ${id} falls from ${before?.term} to ${next.term}`;
    });
    this.#durable.set(id, next);
    if (next.vote === null) return;
    this.votes(id, next.term, next.vote);
    this.#durableVotes.set(`${id}@${next.term}`, next.vote);
  }
}
