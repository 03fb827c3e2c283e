/**
 * Historic bugs of consensus implementations, kept behind names so that the scenario suite and the
 * simulator can prove that they would be found. Production never passes `RaftOptions.bugs`; then
 * every guard below is one comparison with `undefined`.
 */
export const BUGS = {
  /** Thesis figure 3.7: an entry of an earlier term is not safe because a majority holds it. */
  'commit-earlier-term-by-counting': 'commit advances to an entry of an earlier term',
  /** etcd #14370: a single member acknowledged before its own disk had the entry. */
  'leader-counts-unpersisted': 'a leader counts its own log as durable at once',
  /** etcd-io/raft's rule for msgsAfterAppend, broken by several ports. */
  'ack-before-persist': 'append acknowledgements leave before the rows are durable',
  /** Thesis §3.8: term and vote must be durable before answering. */
  'vote-before-persist': 'votes are requested and granted before term and vote are durable',
  /** Thesis §3.4: first come, first served, one vote a term. */
  'vote-twice-in-term': 'a voter grants every candidate of its term',
  /** Thesis §9.6: a promise to vote is not a vote; late ones must not win the election itself. */
  'pre-vote-counts-as-vote': 'a candidate counts the pre-votes that arrive after it stood',
  /** Thesis §9.6: who only asks must not end anybody's term. */
  'pre-vote-changes-term': 'the term of a pre-vote is adopted',
  /** Thesis §3.6.1: the election restriction. */
  'vote-ignores-log': 'a voter grants candidates whose log is behind its own',
  /** Jepsen on etcd 0.4 (2014): reads answered from a leader nobody had confirmed. */
  'read-without-round': 'a leader answers reads without asking a quorum',
  /** etcd #7331, TiKV #9239: the commit index of a new leader may be old. */
  'read-before-own-term-commit': 'a leader answers reads before it committed in its term',
  /** etcd #20418: late heartbeat acknowledgements confirmed a later read. */
  'read-confirmed-by-old-round': 'acknowledgements of any earlier round confirm a read',
  /** A superseded instance of an object speaks for its member (Durable Objects, known issues). */
  'epoch-ignored': 'messages of superseded instances are taken',
  /** Thesis §3.5, the consistency check of AppendEntries. */
  'append-skips-conflict-check':
    'a follower takes any append that leaves no gap and keeps what it has',
  /** etcd-io/raft's async_storage_writes_append_aba_race scenario. */
  'persisted-aba': 'durability of replaced entries counts for those that replaced them',
  /** A reordered old append removes what was acknowledged since (thesis §3.5, "if conflicting"). */
  'truncate-committed': 'a follower truncates its log on every append',
  /** etcd-io/raft's restore() rule: a snapshot behind the commit index is only acknowledged. */
  'install-stale-snapshot': 'a snapshot behind the commit index is installed',
  /** Thesis §3.3: a higher term ends every older role. */
  'step-down-missing': 'a leader ignores higher terms in acknowledgements',
  /** Thesis figure 3.1, AppendEntries step 5: min(leaderCommit, last new entry). */
  'commit-beyond-match': 'a follower commits entries the leader has not compared',
  /** Thesis §4.1: two changes at once are no change of one voter any more. */
  'conf-change-while-pending': 'a change is proposed while another is not applied',
  /** Ongaro's correction of 2015: majorities of two leaders' changes may not meet. */
  'conf-change-before-own-term-commit': 'a new leader proposes a change at once',
  /** Thesis §4.2.2: who leads on after its removal is no part of any majority. */
  'removed-leader-counts-itself': 'a leader that was removed counts its own copy',
  /** Thesis §4.2.1: a learner has no vote, also when entries are counted. */
  'learner-counts-as-voter': 'entries are counted on learners as well',
} as const;

export type BugName = keyof typeof BUGS;

/** Whether a test switched this bug on. */
export function hasBug(
  owner: { readonly options: { readonly bugs?: ReadonlySet<string> } },
  name: BugName,
): boolean {
  return owner.options.bugs?.has(name) ?? false;
}
