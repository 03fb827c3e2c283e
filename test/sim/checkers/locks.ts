import { mapKey } from '../../../src/lib/bytes.ts';
import type { Begun } from '../clients.ts';
import type { ModelVersion } from '../model/store.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { CommittedLog } from './committed_log.ts';

/** What a client was told when it got a lock or won an election. */
export interface Grant {
  readonly prefix: Uint8Array;
  readonly key: Uint8Array;
  readonly lease: bigint;
  /** At which it owned; null where the answer does not say. */
  readonly revision: number | null;
}

/**
 * A6: whoever is told that it owns did so at a revision after its request, by the oldest key, and
 * that key hung on its lease. Of the oldest there is one at each revision, so no two own at once;
 * and it was created later than every owner's before.
 */
export class LockChecker {
  readonly #world: World;
  readonly #log: CommittedLog;
  readonly #tokens = new Map<string, { revision: number; token: number }[]>();

  constructor(world: World, log: CommittedLog) {
    this.#world = world;
    this.#log = log;
  }

  granted(grant: Grant, { floor }: Begun): void {
    const from = this.#log.momentAt(floor).revision;
    const to = this.#log.model.moment.revision;
    const name = mapKey(grant.key);
    const at = grant.revision ?? this.#find(grant, from, to);
    holds(at !== null && at >= from && at <= to, 'A6', () => {
      return `${name} is told that it owns at revision ${at}, between ${from} and ${to} it must be`;
    });
    const owner = this.#ownerAt(grant.prefix, at);
    holds(owner?.key === name && owner.lease === grant.lease, 'A6', () => {
      return `${name} is told that it owns at revision ${at}, where ${owner?.key ?? 'nobody'} does`;
    });
    this.#world.coverage.add('locksGranted');
    this.#checkToken(mapKey(grant.prefix), at, owner.createRevision);
  }

  /** Fencing tokens rise with the revisions at which they were good. */
  #checkToken(prefix: string, revision: number, token: number): void {
    const known = this.#tokens.get(prefix) ?? [];
    const isOrdered = known.every((other) => {
      return other.revision <= revision ? other.token <= token : other.token >= token;
    });
    holds(isOrdered, 'A6', () => `the token ${token} of ${prefix} at ${revision} does not rise`);
    this.#tokens.set(prefix, [...known, { revision, token }]);
  }

  #find({ prefix, key, lease }: Grant, from: number, to: number): number | null {
    for (let revision = from; revision <= to; revision++) {
      const owner = this.#ownerAt(prefix, revision);
      if (owner?.key === mapKey(key) && owner.lease === lease) return revision;
    }
    return null;
  }

  #ownerAt(prefix: Uint8Array, revision: number): ModelVersion | null {
    const end = prefix.slice();
    end[end.length - 1] = (end[end.length - 1] ?? 0) + 1;
    const keys = this.#log.model.store.range(prefix, end, revision);
    const [oldest] = keys.sort((a, b) => a.createRevision - b.createRevision);
    return oldest ?? null;
  }
}
