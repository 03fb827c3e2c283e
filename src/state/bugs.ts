/**
 * Historic mistakes that the tests can switch on, to prove that they would be caught. Never set in
 * production: the constructor option exists for the simulator alone.
 */
export const STATE_BUGS = {
  /** The applied index is saved after the data it describes (etcd 3.5.0 to 3.5.2, issue 13766). */
  'applied-index-apart': 'flush leaves the meta row to the next flush',
  /**
   * A command that was proposed twice is applied twice (the reason for request ids, Raft thesis
   * §6.3).
   */
  'dedup-missing': 'origins are not compared',
  /** The deletion at the compact revision is dropped from history (etcd issues 18089 and 19179). */
  'compaction-drops-tombstone': 'a watch from the compact revision misses a delete',
  /** The newest version at or below the compact revision is dropped although a read may need it. */
  'compaction-drops-latest': 'a read at the compact revision misses a key',
  /** A transaction that fails half-way leaves its first writes behind. */
  'apply-partial-txn': 'an evaluator that throws is not rolled back',
  /** A range in a transaction looks at what compaction removed so far (etcd issue 18667). */
  'txn-range-sees-compaction-progress':
    'reads below the compact revision are refused by local progress',
  /**
   * A command of a leader is taken in any term: one that was paused ends the leases that its
   * successor renews (etcd issues 12528 and 15247).
   */
  'term-binding-ignored': 'a command that is bound to a term is applied in another',
  /** A lease that was revoked and granted again ends by what was meant for the first. */
  'lease-expiry-ignores-generation': 'the end of a lease names its id alone',
  /** Watchers would see a session end by and by, and a reader half of it. */
  'lease-revoked-in-pieces': 'each key of a revoked lease goes in a revision of its own',
  /** A key that has moved to another lease, or to none, is still deleted with the first. */
  'lease-reattach-duplicates': 'a key stays attached to the lease that it had before',
  /** A member that was removed comes back under its old id, and with its old promises (M5). */
  'removed-id-returns': 'an id is taken although it was removed',
  /** Permissions are asked for at the outermost level alone (CVE-2026-33343). */
  'auth-nested-unchecked': 'nested transactions do what their caller may not',
  /** What was there before is told to who may only write. */
  'auth-previous-leaks': 'prev_kv needs no permission to read',
  /** A name that was vouched for before a change of rights still counts (etcd issue 11652). */
  'auth-revision-ignored': 'the auth revision of a command is not compared',
  /** A snapshot has rows of the v2 tree that were changed after it was opened. */
  'v2-picture-torn': 'rows are changed under a picture that is being read',
} as const;

export type StateBug = keyof typeof STATE_BUGS;

export const NO_BUGS: ReadonlySet<string> = new Set();
