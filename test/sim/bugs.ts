import type { Profile } from './plan.ts';

type Hunts = { readonly [profile in Profile]?: readonly string[] };

/** Bugs of the core and the state machine, by the profile in whose runs they are found. */
export const CORE_BUGS: Hunts = {
  plain: [
    'commit-earlier-term-by-counting',
    'leader-counts-unpersisted',
    'ack-before-persist',
    'vote-before-persist',
    'vote-twice-in-term',
    'vote-ignores-log',
    'pre-vote-counts-as-vote',
    'pre-vote-changes-term',
    'read-without-round',
    'read-before-own-term-commit',
    'read-confirmed-by-old-round',
    'append-skips-conflict-check',
    'truncate-committed',
    'step-down-missing',
    'commit-beyond-match',
    'applied-index-apart',
    'dedup-missing',
    'compaction-drops-tombstone',
    'compaction-drops-latest',
    'apply-partial-txn',
    'txn-range-sees-compaction-progress',
  ],
};

/** One acknowledgement too many decides most often where two are a majority. */
export const CORE_BUGS_OF_THREE = ['epoch-ignored'] as const;

/**
 * Bugs of the core that need a leader with one follower, and a majority without them: in clusters
 * of five.
 */
export const CORE_BUGS_OF_FIVE = ['persisted-aba', 'install-stale-snapshot'] as const;

/** Bugs of what is built on them. */
export const SERVICE_BUGS: Hunts = {
  membership: [
    'conf-change-while-pending',
    'conf-change-before-own-term-commit',
    'removed-leader-counts-itself',
    'learner-counts-as-voter',
    'removed-id-returns',
    'conf-of-wrong-index',
  ],
  leases: [
    'keepalive-unconfirmed',
    'renew-while-ending',
    'term-binding-ignored',
    'lease-expiry-ignores-generation',
    'lease-revoked-in-pieces',
    'lease-reattach-duplicates',
  ],
  watches: [
    'watch-progress-early',
    'watch-starved',
    'watch-repeat-after-snapshot',
    'watch-future-gets-old',
    'watch-compact-boundary',
    'watch-split-revision',
  ],
  locks: ['lock-granted-blindly'],
  auth: ['auth-nested-unchecked', 'auth-previous-leaks', 'auth-revision-ignored'],
  v2: ['v2-picture-torn', 'v2-watch-lost-at-snapshot'],
};
