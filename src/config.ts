import { assert } from './lib/assert.ts';

/** Every limit, timeout and default, with its reason. Units are the last word of a name. */
export const limits = {
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
   * How long a follower may not know of a commit when no append carries it there (its own clients'
   * are told at once).
   */
  commitDelayMs: 10,
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
   * Commands applied in memory before their state rows are written together: a key that is written
   * more than once meanwhile costs one row, and a flush of this size takes a few milliseconds.
   */
  overlayCommandsMax: 1_024,
  overlayBytesMax: 4 * 1024 * 1024,
  /** A packed row of history. Small enough to decode quickly, large enough to make rows rare. */
  historyRowBytes: 64 * 1024,
  /** Newest versions of keys kept decoded: a hot key is read without a query. */
  kvCacheEntriesMax: 8_192,
  kvCacheBytesMax: 8 * 1024 * 1024,
  /**
   * Decoded rows of history kept: walking back through versions meets the same row again and again.
   */
  historyCacheRowsMax: 128,
  historyCacheBytesMax: 8 * 1024 * 1024,
  /** One page of a scan: what is read ahead of the answer that asked for it. */
  scanPageRowsMax: 512,
  scanPageBytes: 1_048_576,
  /** Keys whose fate is remembered from row to row of a compaction. */
  compactionMemoKeysMax: 16_384,
  /** Rows of history looked at in one slice of a compaction: a slice takes milliseconds. */
  compactionRowsPerSlice: 16,
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
  /** etcd's largest lease TTL. */
  leaseTtlSecondsMax: 9_000_000_000,
} as const;

export const defaults = {
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
  txnOpsMax: limits.txnOpsMax,
  requestBytesMax: limits.requestBytesMax,
  /** 0: heartbeats never stop. A deployment that should sleep at no cost sets it. */
  quiesceAfterMs: 0,
  clientPort: 2379,
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
  limits.bodyBytesMax >= limits.messageBytesMax * 1.4,
  'the largest message must fit in a body',
);
assert(
  defaults.electionTimeoutMs >= 5 * defaults.heartbeatIntervalMs,
  'several heartbeats must fit in an election timeout',
);
