import type { PlainReply } from '../api/call.ts';
import { HEALTH_PATHS, healthReply, isProbePath } from '../metrics/health.ts';
import { CORS_HEADERS } from './cors.ts';

/** The endpoints beside the methods; a member answers them. */
export const PLAIN_PATHS: ReadonlySet<string> = new Set(['/version', '/metrics', ...HEALTH_PATHS]);

/** A member's answer, with the header that Go adds to errors, and etcd to the probes. */
export function plainAnswer(path: string, reply: PlainReply): Response {
  const headers: Record<string, string> = { ...CORS_HEADERS, 'Content-Type': reply.contentType };
  if (reply.status >= 400 || isProbePath(path)) headers['X-Content-Type-Options'] = 'nosniff';
  return new Response(reply.body, { status: reply.status, headers });
}

/** What is said for a member that cannot be reached: that it is not healthy. */
export function unreachableReply(path: string, reason: string): PlainReply {
  if (path === '/health') return healthReply(reason);
  return { status: 503, contentType: 'text/plain; charset=utf-8', body: `${reason}\n` };
}
