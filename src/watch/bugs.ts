/**
 * Historic mistakes that the tests can switch on, to prove that they would be caught. Never set in
 * production: the constructor option exists for the simulator alone.
 */
export const WATCH_BUGS = {
  /** Progress is told while events are still to be sent (etcd issue 15220). */
  'watch-progress-early': 'progress does not wait until all watchers of the stream are synced',
  /** What a stalled stream could not take is lost (etcd issue 17529). */
  'watch-starved': 'a watcher whose stream is full stays synced',
  /** A member that installed a snapshot sends again what it has sent (etcd issue 15271). */
  'watch-repeat-after-snapshot': 'the watchers of a restored member begin at their start again',
  /** A watch on a future revision gets what happens before it (etcd issue 20221). */
  'watch-future-gets-old': 'the start of a watcher that begins in the future is forgotten',
  /** A watcher below the compact revision goes on with a gap, instead of being canceled. */
  'watch-compact-boundary': 'a watcher that was overtaken by compaction continues there',
  /** The events of one revision come in two responses. */
  'watch-split-revision': 'a response ends in the middle of a revision',
} as const;

export type WatchBug = keyof typeof WATCH_BUGS;
