import { discoveryDefaults, discoveryLimits } from './config/discovery.ts';
import { assert } from './lib/assert.ts';

/** Every limit, timeout and default, with its reason. Units are the last word of a name. */
export const limits = {
  ...discoveryLimits,
  /** etcd's --max-request-bytes: the marshalled request, 1.5 MiB. */
  requestBytesMax: 1_572_864,
  /**
   * etcd's gRPC receive limit is the request limit and 512 KiB: beyond it the message is not even
   * looked at.
   */
  messageBytesMax: 1_572_864 + 524_288,
  /**
   * The gateway's body: base64 of the largest message and room for JSON around it; more is cut off
   * at once.
   */
  bodyBytesMax: 8 * 1024 * 1024,
  /**
   * A client that stops in the middle of its body is sent away: its request holds memory and a
   * connection.
   */
  bodyTimeoutMs: 30_000,
  /** A peer's request: several appends or one chunk of a snapshot, and their envelope. */
  peerBodyBytesMax: 8 * 1024 * 1024,
  /**
   * Nesting of a JSON body: etcd's own messages need less than twenty; the bound protects the
   * decoder's stack.
   */
  jsonDepthMax: 100,
  /**
   * Objects, lists and their elements in one JSON body, far beyond any transaction: a body of `{}`s
   * must not fill the memory.
   */
  jsonItemsMax: 65_536,
  /** etcd's --max-txn-ops. */
  txnOpsMax: 128,
  /** A row is limited to 2 MB by the platform; a batch of entries is one row. */
  rowBytesMax: 1_900_000,
  /** What an entry may add to a request: indices, ids, lengths. */
  entryOverheadBytes: 4_096,
  /**
   * Entries' bytes in one append: one fetch between objects stays small enough to be answered in
   * one turn.
   */
  appendBytesMax: 1_048_576,
  inflightAppendsMax: 4,
  /**
   * How long a follower may not know of a commit when no append carries it there and no client of
   * its own waits or watches.
   */
  commitDelayMs: 10,
  /** How long a leader waits for a majority before it troubles the other peers as well. */
  thriftDelayMs: 5,
  /** Entries that come by more at once go to all: in a crowd it counts who is the quickest. */
  thriftBatchMax: 4,
  /** Requests under way to one peer: appends overlap, and the platform allows few connections. */
  peerRequestsInFlightMax: 4,
  /**
   * A socket between members that was not used for so long is closed: an open one keeps objects
   * awake.
   */
  peerSocketIdleMs: 15_000,
  /** Messages joined in one frame; with one more that is as large it fits in a peer's body. */
  peerFrameBytesMax: 2 * 1024 * 1024,
  /** A snapshot that could not be moved to a peer is tried again after so long: a try flushes. */
  snapshotRetryMs: 1_000,
  /** Messages waiting for one peer; older ones are dropped, the core repeats what matters. */
  peerQueueMax: 256,
  /**
   * Bytes proposed and not committed before new proposals are refused: etcd's
   * MaxUncommittedEntriesSize idea.
   */
  uncommittedBytesMax: 64 * 1024 * 1024,
  /**
   * Proposals waiting at one member: etcd refuses when applied lags committed by 5,000 with "too
   * many requests".
   */
  pendingProposalsMax: 5_000,
  pendingProposalBytesMax: 32 * 1024 * 1024,
  /** Reads waiting at one member. */
  pendingReadsMax: 10_000,
  /** How long writes of a crowd gather at most: about what a commit takes among near members. */
  gatherMs: 5,
  /** Batches of rows that a follower writes until it asks whether they are durable. */
  unconfirmedBatchesMax: 16,
  /** Proposals taken into one turn, so that one row and one answer burst stay bounded. */
  turnProposalsMax: 512,
  turnProposalBytesMax: 4 * 1024 * 1024,
  /** Committed entries applied per turn. */
  applyBytesMax: 4 * 1024 * 1024,
  /**
   * Recent log entries held in memory: a follower that is a little behind is served without a read.
   */
  logCacheBytesMax: 8 * 1024 * 1024,
  /**
   * Commands applied in memory before their state rows are written together, at most: a key that is
   * written more than once meanwhile costs one row, keys near each other one page of the database.
   * A flush of this size takes ten milliseconds.
   */
  overlayCommandsMax: 4_096,
  overlayBytesMax: 4 * 1024 * 1024,
  /** A packed row of history. Small enough to decode quickly, large enough to make rows rare. */
  historyRowBytes: 64 * 1024,
  /**
   * Newest versions of keys kept decoded: a hot key is read and replaced without a query. Half of
   * it is the least that is kept (state/slots.ts); an entry takes 300 bytes beside key and value.
   */
  kvCacheEntriesMax: 16_384,
  kvCacheBytesMax: 8 * 1024 * 1024,
  /**
   * Summaries of versions (state/version_index.ts), 24 bytes beside each key: of two hundred
   * thousand keys or so. Members may share the 128 MB of an isolate. An eighth more are the chains.
   */
  versionIndexBytesMax: 8 * 1024 * 1024,
  /**
   * Decoded rows of history kept: walking back through versions meets the same row again and again.
   */
  historyCacheRowsMax: 128,
  historyCacheBytesMax: 8 * 1024 * 1024,
  /** One page of a scan: what is read ahead of the answer that asked for it. */
  scanPageRowsMax: 512,
  scanPageBytes: 1_048_576,
  /** Keys hashed in one slice: a few milliseconds. */
  hashSliceKeysMax: 2_048,
  /** Keys whose fate is remembered from row to row of a compaction. */
  compactionMemoKeysMax: 16_384,
  /** Rows of history looked at in one slice of a compaction: a slice takes milliseconds. */
  compactionRowsPerSlice: 16,
  /** And versions in them: they are decoded, and some written again. */
  compactionRecordsPerSlice: 512,
  /** Keys looked for in one slice: 20 microseconds each. */
  compactionLookupsPerSlice: 256,
  /** Between two slices, as in etcd: commands go on meanwhile, here and at other members. */
  compactionPauseMs: 10,
  /** One chunk of a snapshot: below the platform's limit on rows and comfortable for a fetch. */
  snapshotChunkBytes: 1_048_576,
  /** Log written since its last compaction: the next one is then due, however few the entries. */
  logCompactionBytes: 256 * 1024 * 1024,
  /**
   * Characters of an answer: an RPC between Worker and object carries 32 MiB, and the object has
   * 128 MB in all.
   */
  replyCharsMax: 24 * 1024 * 1024,
  /**
   * Rows (batches) in one log segment. A segment is a table of its own, dropped whole: drops cost
   * no rows.
   */
  logSegmentRows: 4_096,
  logSegmentBytes: 64 * 1024 * 1024,
  /**
   * How often the platform calls a member that leads, so that it is not taken for idle and evicted.
   */
  watchdogMs: 25_000,
  /**
   * Streams open at one member. Each takes 4 KB of the object's 128 MB (measured with 5,000 of one
   * watch; locally its connection takes 60 KB of the process too); the platform itself allows
   * 32,768 WebSockets.
   */
  streamsMax: 8_192,
  /** Requests in the body of one stream: what they open must be bounded too. */
  streamRequestsMax: 10_000,
  /** A service that waits for a slow reader goes on when fewer bytes than these are buffered. */
  streamHighWaterBytes: 64 * 1024,
  /** A frame of etcd's may have several MB; a client that is further behind is cut off. */
  streamBufferBytesMax: 16 * 1024 * 1024,
  /** All streams of a member together: beyond it the one that is furthest behind is cut off. */
  streamsBufferBytesMax: 40 * 1024 * 1024,
  /**
   * What watchers may have in those buffers together: beyond it events wait in history, so that a
   * slow reader is not cut off for it.
   */
  watchBufferBytesMax: 24 * 1024 * 1024,
  /** Revisions of the past in one response, as in etcd. */
  watchReplayRevisionsMax: 1_000,
  /** Bytes of history read for one response to those who catch up. */
  watchReplayBytesMax: 512 * 1024,
  /** Events collected in one slice of catching up, for all who share it: a few milliseconds. */
  watchReplayEventsMax: 16_384,
  /** What etcd allows a response beyond the largest request, before it is split into fragments. */
  frameOverheadBytes: 524_288,
  /**
   * How often, in an interval of progress notices, streams are looked at that are due: a tenth of
   * their jitter, so that notices are spread.
   */
  watchProgressTicks: 100,
  /** Watches on one stream. */
  watchesPerStreamMax: 4_096,
  /** Watches at one member, and the bytes of their keys: some 500 bytes each and the keys. */
  watchersMax: 32_768,
  watcherKeyBytesMax: 16 * 1024 * 1024,
  /**
   * An HTTP stream on which nothing was sent for so long gets an empty line: only a write tells
   * that a client is gone, and proxies end answers that stay silent or never begin.
   */
  streamHeartbeatMs: 5_000,
  /** How often streams are looked at for that. */
  streamSweepMs: 1_000,
  /** A client that takes nothing of what waits for it for so long is cut off. */
  streamStallMs: 60_000,
  /** A stream that requires a leader ends so many election timeouts after the leader was lost. */
  streamLeaderLossElections: 3,
  /**
   * Messages on clients' sockets make an instance look whether it is still the member's so often:
   * reads and writes look for themselves, and a stream without events notices it as late as this.
   */
  streamCheckMs: 100,
  /** What a WebSocket is assumed to carry: the platform does not say what is still unsent. */
  socketBytesPerSecond: 8 * 1024 * 1024,
  /** A WebSocket's session is saved so long after a change, for the time after a hibernation. */
  socketSaveMs: 1_000,
  /** Messages of a client that came before its stream could be resumed. */
  socketQueueMessagesMax: 64,
  /** Operations of one session that are not answered: the proposals of a member are 5,000. */
  sessionOperationsMax: 4_096,
  /** Answers are sent on when so many bytes have gathered, ready or not the rest. */
  sessionAnswerFrameBytes: 256 * 1024,
  /**
   * Sent and not taken in: the largest answer and as much again as a stream may have. Who is
   * further behind does not read.
   */
  sessionUnreadBytesMax: 40 * 1024 * 1024,
  /** The same of all sessions of a member together. */
  sessionsUnreadBytesMax: 48 * 1024 * 1024,
  /** Sessions at one member: as many as streams. */
  sessionsMax: 4_096,
  /** Characters of X-Request-Id that are taken over from a client. */
  requestIdCharsMax: 128,
  /**
   * Users, roles, and what each may have: far beyond any real use, and little enough to be looked
   * through when one of them changes.
   */
  authUsersMax: 4_096,
  authRolesMax: 4_096,
  authRolesPerUserMax: 256,
  authPermissionsPerRoleMax: 1_024,
  /** A name travels with every command of its user. */
  authNameBytesMax: 256,
  /** A role of all its permissions fits in a row. */
  authPermissionKeyBytesMax: 512,
  authHashCharsMax: 512,
  /** Hashing costs time in proportion; no password that somebody knows is longer. */
  authPasswordBytesMax: 1_024,
  /** Users whose permissions are kept worked out. */
  authPermissionCacheUsersMax: 1_024,
  /** Logins without end must not fill the state: the oldest token makes room for the newest. */
  authTokensPerUserMax: 512,
  authTokensMax: 8_192,
  /** Tokens whose digest, or whose signature, has been worked out already. */
  authTokenCacheMax: 4_096,
  /** A token is a name, two numbers and a signature. */
  authTokenCharsMax: 4_096,
  /** Passwords hashed at once at a member, and how many more may wait: each takes 30 ms of CPU. */
  passwordHashesAtOnceMax: 2,
  passwordHashesWaitingMax: 64,
  /** How often a leader looks for tokens whose time is over. */
  authTokenSweepMs: 30_000,
  /** etcd's --max-learners: each costs the leader as much traffic as a voter. */
  learnersMax: 1,
  /** Changes of configuration that wait at a leader: it makes one at a time. */
  pendingConfChangesMax: 16,
  /**
   * The largest quota. The platform allows a database 10 GB; the log, its catch-up entries and the
   * proposals under way need room beside the state.
   */
  stateBytesMax: 9_000_000_000,
  /** One message of a snapshot to a client: etcd's are of 32 KiB. */
  snapshotBlobBytes: 64 * 1024,
  /** A client of a snapshot that takes nothing for so long is given up: compaction waits for it. */
  snapshotStallMs: 5_000,
  /** Snapshots to clients at once: each has a chunk in memory, and compaction waits for all. */
  clientSnapshotsMax: 2,
  /** Hashes that a peer asked for, and that are being made or kept for it. */
  peerHashesMax: 4,
  /** A follower that has not applied so far after that long is not compared this time. */
  comparisonLagMs: 5_000,
  /** A hash of ten GB takes minutes; whoever has not answered by then is not compared. */
  comparisonTimeoutMs: 15 * 60_000,
  /** How often the leader compares the outcomes of commands: a message to each member. */
  outcomeCheckMs: 60_000,
  /** etcd's largest lease TTL. */
  leaseTtlSecondsMax: 9_000_000_000,
  /** How often the leader looks for leases that have expired, as etcd. */
  leaseCheckMs: 500,
  /** Ends of leases proposed in one check: etcd's rate is 1,000 a second. */
  leaseExpiriesPerCheck: 500,
  /** Leases that a new leader begins to count in one go: some milliseconds. */
  leasesPerSlice: 1_000,
  /**
   * The longest step of the clock that counts for leases: three checks. What is longer was a pause
   * of the leader, or a clock that was set.
   */
  leaseClockStepMsMax: 1_500,
  /** Each takes some 200 bytes of the leader's 128 MB, and 100,000 are what etcd is used with. */
  leasesMax: 200_000,
  /** Keepalives waiting at one member: a client renews all its leases at once. */
  keepAlivesPendingMax: 50_000,
  /** Of them in one frame to the leader. */
  keepAlivesPerFrame: 2_000,
  /** Events that the v2 API remembers for those who come late: etcd's number. */
  v2HistoryEvents: 1_000,
  /** An event and what was before it fit in one row up to here; beyond, each has its own. */
  v2EventRowBytes: 1_048_576,
  /** Rows of the v2 tree kept decoded: the way to a node is looked at again and again. */
  v2CacheRowsMax: 2_048,
  v2CacheBytesMax: 2 * 1024 * 1024,
  /** A listing is made in memory: a good part of what an answer may have. */
  v2ListingBytesMax: 12 * 1024 * 1024,
  /** Bytes of a path of v2: what HTTP servers let through, and far from the end of a row. */
  v2PathBytesMax: 8_192,
  /** Directories in each other: a listing goes down as deep. */
  v2PathDepthMax: 256,
  /**
   * Nodes that one command takes away: each is held in memory until it is written. A larger
   * directory is deleted in parts, and ends in parts.
   */
  v2RemovalNodesMax: 50_000,
  /** A Go duration holds no more seconds: a longer TTL is none, as in etcd. */
  v2TtlSecondsMax: 9_223_372_036,
  /** How often the leader looks for nodes of v2 that have ended: etcd's interval of SYNC. */
  v2ExpiryCheckMs: 500,
  /** Nodes that end by one command; each may be a directory with much in it. */
  v2ExpiriesPerCommand: 100,
  /** Requests that wait for events of v2 at one member: each holds a connection. */
  v2WaitsMax: 4_096,
  /** What a client of a v2 stream may leave unread, before it is cut off; etcd's is 100 events. */
  v2WaitBufferBytesMax: 2 * 1024 * 1024,
  /** Names, patterns and lists of v2's users and roles: what fits in one row, and in a header. */
  v2AuthRequestCharsMax: 256 * 1024,
  /** Passwords of v2 that have been found right: checking one anew takes 30 ms of CPU. */
  v2LoginCacheMax: 1_024,
  /** Contenders for locks and elections that wait at one member: each is an open request. */
  contestWaitersMax: 4_096,
  /** How often their deadlines, and whether there is a leader, are looked at. */
  contestSweepMs: 250,
} as const;

export const defaults = {
  ...discoveryDefaults,
  clusterName: 'edgetcd',
  clusterToken: 'etcd-cluster',
  heartbeatIntervalMs: 100,
  electionTimeoutMs: 1_000,
  /** ETCD_SNAPSHOT_COUNT of etcd 3.6: applied entries between compactions of the log. */
  snapshotCount: 10_000,
  /**
   * Entries kept behind the compaction point for followers that are a little slow (etcd's default).
   */
  snapshotCatchUpEntries: 5_000,
  /** ETCD_QUOTA_BACKEND_BYTES: 0 is etcd's default of 2 GiB. */
  quotaBackendBytes: 2 * 1024 * 1024 * 1024,
  /**
   * ETCD_CORRUPT_CHECK_TIME. etcd's default is off; here every row of every member is read, hashed
   * and compared twice a day: a million keys on three members cost a third of a cent.
   */
  corruptCheckMs: 12 * 3_600_000,
  txnOpsMax: limits.txnOpsMax,
  requestBytesMax: limits.requestBytesMax,
  /** ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL. */
  watchProgressNotifyIntervalMs: 600_000,
  /** ETCD_AUTH_TOKEN_TTL: seconds that an unused token lives. */
  authTokenTtlSeconds: 300,
  /** 0: heartbeats never stop. A deployment that should sleep at no cost sets it. */
  quiesceAfterMs: 0,
  clientPort: 2379,
  /** ETCD_WARNING_APPLY_DURATION: applying for longer is told. */
  warningApplyMs: 100,
  /** ETCD_WARNING_UNARY_REQUEST_DURATION: calls that take longer are told. */
  warningUnaryMs: 300,
} as const;

/** What etcd adds to a request's deadline: 5 s and two election timeouts. */
export function requestTimeoutMs(electionTimeoutMs: number): number {
  return 5_000 + 2 * electionTimeoutMs;
}

assert(
  limits.requestBytesMax + limits.entryOverheadBytes <= limits.rowBytesMax,
  'an accepted request must fit in a row',
);
assert(
  2 * limits.authPermissionsPerRoleMax * limits.authPermissionKeyBytesMax < limits.rowBytesMax,
  'a role must fit in a row',
);
assert(
  limits.bodyBytesMax >= limits.messageBytesMax * 1.4,
  'the largest message must fit in a body',
);
assert(
  defaults.electionTimeoutMs >= 5 * defaults.heartbeatIntervalMs,
  'several heartbeats must fit in an election timeout',
);
assert(
  limits.compactionMemoKeysMax >= limits.historyRowBytes / 4,
  'what has been looked for in a row must be remembered until all of it has',
);
assert(
  limits.leaseClockStepMsMax >= 2 * limits.leaseCheckMs,
  'a check that is somewhat late must not slow the time of leases',
);
