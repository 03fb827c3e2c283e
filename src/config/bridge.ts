/** Limits of the process that serves gRPC for a cluster. Units are the last word of a name. */
export const bridgeLimits = {
  /** One message of a stream to the bridge: a watch's response may hold a thousand revisions. */
  messageBytesMax: 256 * 1024 * 1024,
  /** An endpoint that does not take a connection for so long is passed over. */
  connectMs: 3_000,
  /** Operations that the bridge has for a member leave in frames of about this size. */
  frameBytes: 256 * 1024,
  /**
   * Connections of the bridge for one token: with four, 64 writers get two to three times what
   * they get with one, and more than four change nothing. Another one is opened when all have this
   * many calls under way.
   */
  links: 4,
  callsPerLink: 4,
  /** How often the bridge looks at its connections. */
  sweepMs: 1_000,
  /** A member that owes answers and says nothing is asked after half of this, and then given up. */
  silenceMs: 10_000,
  /** A connection without operations: its client has gone, or its token has been renewed. */
  idleMs: 60_000,
  /** What waits for a client of the bridge before its source is held back. */
  highWaterBytes: 1024 * 1024,
  /** A client that shares its source, which goes on, is sent away beyond this. */
  bufferBytesMax: 64 * 1024 * 1024,
  /** A watch that would be shared, and is not let in for so long, gets a source of its own. */
  joinMs: 1_000,
  /** etcd's limit on streams of one connection is 2^32 - 1; a client's own is 100 without one. */
  streamsPerConnectionMax: 1_000_000,
  /** Of a request: a token that is a JWT has 2 KiB at most, and there is little else. */
  headersBytesMax: 64 * 1024,
  /** How much data may be on its way to the bridge: a largest request without waiting. */
  connectionWindowBytes: 4 * 1024 * 1024,
  streamWindowBytes: 2 * 1024 * 1024,
  /** What one connection may have sent of messages that are not whole. */
  receivingBytesMax: 64 * 1024 * 1024,
  /** A frame to a client: larger ones would hold up what comes behind. */
  sentFrameBytesMax: 64 * 1024,
  /** What is in a connection's socket before the data of its streams waits. */
  socketBytes: 256 * 1024,
  /** A connection that has so much to read, and asks for more, is closed. */
  unreadBytesMax: 4 * 1024 * 1024,
  /** Requests that their client withdraws, at once and in the long run. */
  resetsBurst: 10_000,
  resetsPerSecond: 1_000,
  /** How long a client that has broken the protocol may take to hear so. */
  goodbyeMs: 1_000,
  /** After such a silence the system looks whether a client is still there. */
  keepAliveMs: 60_000,
  /** A connection to the bridge that sends nothing by which it could be told what it speaks. */
  firstBytesMs: 60_000,
} as const;

/**
 * Keys of a file of etcd's that a restore remembers at once: 200 to 300 MB. Where there are more,
 * the file is read several times.
 */
export const IMPORTED_KEYS_AT_ONCE = 1_000_000;
