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
} as const;

export type StateBug = keyof typeof STATE_BUGS;

export const NO_BUGS: ReadonlySet<string> = new Set();
