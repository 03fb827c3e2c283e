import { limits } from '../config.ts';
import { messageOf } from '../lib/error.ts';
import type { MemberId } from '../raft/message.ts';
import { type ChainSum, isComparable } from '../state/chain.ts';
import type { Fingerprint, FingerprintRequest } from './fingerprint.ts';
import { hashKeys, type SliceHost } from './hashing.ts';

/** How often a member is asked that is not there yet, or is still hashing. */
const POLL_MS = 250;

export interface CorruptionHost extends SliceHost {
  readonly memberId: MemberId;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  setTimer(callback: () => void, ms: number): void;
  leading(): boolean;
  /** The cluster has something to do, or does not know yet that it has not. */
  awake(): boolean;
  /** All other members. */
  peers(): readonly MemberId[];
  /** @throws Error when the peer cannot be asked */
  ask(peer: MemberId, request: FingerprintRequest): Promise<Fingerprint>;
  /** Gives the outcome chains of all members one base, by an entry of the log. */
  realign(): Promise<unknown>;
  /** Raises the alarm CORRUPT of the member; null: it is not known whose it is. */
  raise(member: MemberId | null): Promise<unknown>;
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

/** Whom a comparison accuses. `nobody knows`: there is a difference, and no majority. */
export type Verdict = readonly MemberId[] | 'nobody knows';

/**
 * Whoever differs from more than half of all members is wrong. @param size of the cluster, which
 * may be more than those that could say something
 */
export function verdict(sums: ReadonlyMap<MemberId, number | null>, size: number): Verdict {
  const groups = new Map<number, MemberId[]>();
  for (const [member, sum] of sums) {
    if (sum !== null) groups.set(sum, [...(groups.get(sum) ?? []), member]);
  }
  if (groups.size <= 1) return [];
  const right = [...groups.values()].find((members) => 2 * members.length > size);
  if (right === undefined) return 'nobody knows';
  return [...groups.values()].filter((members) => members !== right).flat();
}

/**
 * Finds members whose state is not that of the others. The leader compares two things: the outcome
 * chain at one applied index, which costs a message, and shows commands that did not do the same
 * everywhere; and from time to time a hash of all keys at one revision, which costs reading them,
 * and shows rows that have rotted. A difference raises the alarm CORRUPT, by which every change is
 * refused until somebody has looked.
 */
export class CorruptionMonitor {
  readonly #host: CorruptionHost;
  readonly #checkMs: number;
  #lastKeysMs: number;
  #lastIndex = 0;
  #armed = false;

  constructor(host: CorruptionHost, checkMs: number) {
    this.#host = host;
    this.#checkMs = checkMs;
    this.#lastKeysMs = host.nowMs();
  }

  /**
   * To be called when this member begins to lead, and when something was applied. From then on it
   * compares as long as it leads a cluster that is awake; one that sleeps has no timer for it.
   */
  wake(): void {
    if (this.#armed || this.#checkMs === 0 || !this.#host.leading()) return;
    this.#armed = true;
    const everyMs = Math.min(limits.outcomeCheckMs, this.#checkMs);
    this.#host.setTimer(() => void this.#tick().finally(() => this.#rearm()), everyMs);
  }

  #rearm(): void {
    this.#armed = false;
    if (this.#host.awake() && this.#host.peers().length > 0) this.wake();
  }

  async #tick(): Promise<void> {
    const host = this.#host;
    // One that has fallen asleep meanwhile has still to answer for what it did before.
    if (!host.leading() || host.peers().length === 0) return;
    const keysAreDue = host.nowMs() - this.#lastKeysMs >= this.#checkMs;
    // While nothing is applied nobody can come to another outcome.
    if (!keysAreDue && host.machine().appliedIndex === this.#lastIndex) return;
    this.#lastIndex = host.machine().appliedIndex;
    if (keysAreDue) this.#lastKeysMs = host.nowMs();
    try {
      await this.compare(keysAreDue);
    } catch (error) {
      host.log('warn', `members could not be compared: ${messageOf(error)}`);
    }
  }

  /** One comparison. @param withKeys with the hash of all keys @throws EtcdError */
  async compare(withKeys: boolean): Promise<void> {
    const host = this.#host;
    const machine = host.machine();
    const index = machine.appliedIndex;
    const chain = machine.chainAt(index);
    const revision = withKeys ? machine.revision : 0;
    const peers = host.peers();
    const [own, ...others] = await Promise.all([
      withKeys ? hashKeys(host, revision) : null,
      ...peers.map((peer) => this.#ask(peer, { index, revision })),
    ]);
    const mine = { chain, hash: own?.hash ?? null, pending: false, behind: false };
    const all = new Map<MemberId, Fingerprint | null>([[host.memberId, mine]]);
    for (const [i, peer] of peers.entries()) all.set(peer, others[i] ?? null);
    await this.#judgeOutcomes(all, chain, index);
    if (withKeys) await this.#judge(all, (one) => one.hash, `keys at revision ${revision}`);
  }

  /** While members are upgraded they sum up outcomes in other ways, or from other places. */
  async #judgeOutcomes(
    all: ReadonlyMap<MemberId, Fingerprint | null>,
    own: ChainSum | null,
    index: number,
  ): Promise<void> {
    const comparable = (one: Fingerprint) =>
      one.chain !== null && own !== null && isComparable(one.chain, own) ? one.chain.value : null;
    await this.#judge(all, comparable, `outcomes up to index ${index}`);
    const chains = [...all.values()].flatMap((one) => (one?.chain ? [one.chain] : []));
    const isUpgraded = chains.every(({ definition }) => definition === own?.definition);
    if (chains.length < all.size || !isUpgraded) return;
    if (chains.some(({ base }) => base !== own?.base)) await this.#host.realign();
  }

  async #judge(
    all: ReadonlyMap<MemberId, Fingerprint | null>,
    sumOf: (fingerprint: Fingerprint) => number | null,
    what: string,
  ): Promise<void> {
    const sums = new Map([...all].map(([member, one]) => [member, one && sumOf(one)] as const));
    const accused = verdict(sums, all.size);
    if (accused.length === 0) return;
    const shown = [...sums].map(([member, sum]) => `${member}: ${sum}`).join(', ');
    this.#host.log('error', `members differ in their ${what} (${shown})`);
    const members = accused === 'nobody knows' ? [null] : accused;
    for (const member of members) await this.#host.raise(member);
  }

  /** Null: the peer cannot be asked, or does not know. */
  async #ask(peer: MemberId, request: FingerprintRequest): Promise<Fingerprint | null> {
    const host = this.#host;
    const { comparisonLagMs, comparisonTimeoutMs } = limits;
    const timeoutMs = request.revision === 0 ? comparisonLagMs : comparisonTimeoutMs;
    const deadlineMs = host.nowMs() + timeoutMs;
    let chain: ChainSum | null = null;
    try {
      for (;;) {
        const answer = await host.ask(peer, request);
        // While it is hashing, what it remembers of the index may pass by.
        chain ??= answer.chain;
        if (!answer.pending) return { ...answer, chain };
        if (host.nowMs() >= deadlineMs) return { ...answer, chain, hash: null };
        await host.sleep(POLL_MS);
      }
    } catch (error) {
      host.log('info', `${peer} is not compared: ${messageOf(error)}`);
      return null;
    }
  }
}

type Hash = { readonly done: boolean; readonly hash: number | null };

/** The other side: what this member has at an index and a revision, for a peer that compares. */
export class Witness {
  readonly #host: SliceHost;
  /** By revision, the oldest first. */
  readonly #hashes = new Map<number, Hash>();

  constructor(host: SliceHost) {
    this.#host = host;
  }

  /** Answers at once: the way to a peer is too short-lived to wait on. */
  testify({ index, revision }: FingerprintRequest): Fingerprint {
    const machine = this.#host.machine();
    // It is asked in the moment in which the leader has applied the entry.
    if (machine.appliedIndex < index || machine.revision < revision) {
      return { chain: null, hash: null, pending: true, behind: true };
    }
    const chain = index === 0 ? null : machine.chainAt(index);
    if (revision === 0) return { chain, hash: null, pending: false, behind: false };
    const { done, hash } = this.#hashAt(revision);
    return { chain, hash, pending: !done, behind: false };
  }

  #hashAt(revision: number): Hash {
    const known = this.#hashes.get(revision);
    if (known !== undefined) {
      // Rows may rot: the next comparison at this revision looks again.
      if (known.done) this.#hashes.delete(revision);
      return known;
    }
    const [oldest] = this.#hashes.keys();
    if (this.#hashes.size >= limits.peerHashesMax && oldest !== undefined) {
      this.#hashes.delete(oldest);
    }
    const begun: Hash = { done: false, hash: null };
    this.#hashes.set(revision, begun);
    const finish = (hash: number | null) => {
      if (this.#hashes.has(revision)) this.#hashes.set(revision, { done: true, hash });
    };
    hashKeys(this.#host, revision).then(
      ({ hash }) => finish(hash),
      // Compacted, or the member stops: it cannot say.
      () => finish(null),
    );
    return begun;
  }
}
