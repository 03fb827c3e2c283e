/**
 * Historic mistakes above the state machine that the simulator can switch on, to prove that they
 * would be found. Never set in production: see {@link RuntimeHost.bugs}.
 */
export const MEMBER_BUGS = {
  /** A keepalive is answered by a leader that nobody has confirmed (etcd issue 20615). */
  'keepalive-unconfirmed': 'a deposed leader says that a lease lives which its successor has ended',
  /** A lease is renewed although its end is under way (etcd issue 14177). */
  'renew-while-ending': 'a keepalive succeeds and the lease ends all the same',
  /** A lock is granted when its turn has come, its owner's lease unseen (etcd issue 11408). */
  'lock-granted-blindly': 'who has waited owns when the one before is gone',
  /** The configuration of the place where the log begins, not of the state (etcd issue 19557). */
  'conf-of-wrong-index': 'a restarted member counts with the configuration of its compaction point',
} as const;

export type MemberBug = keyof typeof MEMBER_BUGS;
