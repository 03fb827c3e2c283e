/**
 * Cloudflare's list prices of the paid plan beyond what it includes, in US dollars, as its
 * documentation gave them in October 2026: what /metrics estimates costs from.
 */
export const prices = {
  millionRequests: 0.15,
  millionWorkerRequests: 0.3,
  millionGigabyteSeconds: 12.5,
  millionRowsRead: 0.001,
  millionRowsWritten: 1,
  gigabyteMonth: 0.2,
  /** An object is charged for 128 MB, whatever it uses. */
  objectGigabytes: 0.128,
  /** So many incoming messages of WebSockets are one request; outgoing ones are free. */
  socketMessagesPerRequest: 20,
} as const;
