/** Limits of a member's HTTP port in Node. Units are the last word of a name. */
export const httpLimits = {
  /**
   * WebSockets to the member for what clients write, and as many for what they read. What travels
   * in one frame is answered in one frame, so that one alone would leave the member idle meanwhile.
   */
  links: 2,
  /** Another one is opened when all have so many calls under way. */
  callsPerLink: 16,
  /** So long a call waits for the first of them, after which the member is asked directly. */
  connectMs: 250,
  /** Calls that wait for it: more are asked directly at once. */
  waitingMax: 4_096,
  /** No new attempt so soon after one that failed. */
  retryMs: 200,
} as const;
