/** Mistakes that the simulator can switch on, to prove that they would be caught. */
export const V2_WATCH_BUGS = {
  /** What a snapshot has brought in is not told to those who wait for events of the tree. */
  'v2-watch-lost-at-snapshot': 'waits go on after a snapshot as if nothing had been missed',
} as const;
