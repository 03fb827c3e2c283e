import type { ConfState, MemberId, Message } from '../../../src/raft/message.ts';
import type { PersistBatch } from '../../../src/raft/output.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import { isQuorum } from './quorum.ts';

/** What an instance has been told about terms and votes. */
interface Heard {
  /** The highest term that somebody is in: a pre-vote only asks about one. */
  term: number;
  /** Real requests for votes, as `candidate@term`. */
  readonly asked: Set<string>;
  /** Real votes for this instance, as `voter@term`. */
  readonly granted: Set<string>;
}

/** E4 and E5: what makes a leader, and what must not change anything. */
export class VoteChecker {
  readonly #heard = new Map<Instance, Heard>();

  receiving(instance: Instance, messages: readonly Message[]): void {
    const heard = this.#of(instance);
    for (const message of messages) {
      const { type, from, term } = message;
      if (type === 'vote' && message.pre) continue;
      // A promised pre-vote repeats the term that was asked about.
      if (type === 'voteReply' && message.pre && message.granted) continue;
      heard.term = Math.max(heard.term, term);
      if (type === 'vote') heard.asked.add(`${from}@${term}`);
      if (type === 'voteReply' && !message.pre && message.granted) {
        heard.granted.add(`${from}@${term}`);
      }
    }
  }

  /**
   * E5: a new term is one that somebody is in, or the writer's own candidacy; a vote is one that
   * was asked for. A pre-vote is reason for neither.
   */
  writing(instance: Instance, { hardState }: PersistBatch): void {
    if (hardState === null) return;
    const heard = this.#of(instance);
    const before = instance.disk.live.hardState;
    const { term, vote } = hardState;
    const stands = vote === instance.id;
    holds(stands || term === before.term || term <= heard.term, 'E5', () => {
      return `${instance.name} writes term ${term}, of which it has heard only in pre-votes`;
    });
    const asked = vote === null || stands || heard.asked.has(`${vote}@${term}`);
    holds(asked || (vote === before.vote && term === before.term), 'E5', () => {
      return `${instance.name} writes a vote for ${vote} in term ${term}, who has not asked for it`;
    });
  }

  /**
   * E4: a quorum of the candidate's own configuration has voted for it in this very term.
   * @param configs the configuration before and after the step in which it was elected
   */
  elected(instance: Instance, term: number, configs: readonly ConfState[]): void {
    const { granted } = this.#of(instance);
    const has = (id: MemberId) => id === instance.id || granted.has(`${id}@${term}`);
    holds(
      configs.some((config) => isQuorum(config, has)),
      'E4',
      () => {
        const votes = [...granted].filter((vote) => vote.endsWith(`@${term}`)).join(', ');
        return `${instance.name} leads term ${term} with the votes of itself and ${votes || 'nobody'}`;
      },
    );
  }

  #of(instance: Instance): Heard {
    const known = this.#heard.get(instance);
    if (known !== undefined) return known;
    const { term } = instance.disk.live.hardState;
    const heard = { term, asked: new Set<string>(), granted: new Set<string>() };
    this.#heard.set(instance, heard);
    return heard;
  }
}
