import type { Member } from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { CallOptions } from './options.ts';

/** Who belongs to the cluster. */
export class Cluster {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** All members. */
  async memberList(options?: CallOptions): Promise<readonly Member[]> {
    return (await this.#calls.unary('/v3/cluster/member/list', {}, options)).members;
  }

  /** Adds a member, which is started afterwards. @returns it, with its id */
  async memberAdd(
    peerURLs: readonly string[],
    { isLearner = false, ...options }: CallOptions & { readonly isLearner?: boolean } = {},
  ): Promise<Member | undefined> {
    const request = { peerURLs, isLearner };
    return (await this.#calls.unary('/v3/cluster/member/add', request, options)).member;
  }

  /** It belongs to the cluster no more, and can never come back under this id. */
  async memberRemove(ID: bigint, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/cluster/member/remove', { ID }, options);
  }

  /** It is reached under other URLs. */
  async memberUpdate(
    ID: bigint,
    peerURLs: readonly string[],
    options?: CallOptions,
  ): Promise<void> {
    await this.#calls.unary('/v3/cluster/member/update', { ID, peerURLs }, options);
  }

  /** Makes a learner a voter. */
  async memberPromote(ID: bigint, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/cluster/member/promote', { ID }, options);
  }
}
