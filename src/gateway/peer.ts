import { bearerAccess } from './access.ts';
import { textError } from './answer.ts';
import { type BodyBounds, readBuffer } from './body.ts';
import type { Site } from './site.ts';
import { unrouted } from './unrouted.ts';

/**
 * The peer route of a federation: messages for the member that lives here, and its answer. Peers
 * are programs of our own, so errors are plain text; a peer tries again by itself.
 */
export async function exchange(
  request: Request,
  site: Site,
  bounds: BodyBounds,
): Promise<Response> {
  const { peerSecret, members } = site.settings;
  if (peerSecret === null) return unrouted(request, '/raft');
  const access = bearerAccess(request.headers, peerSecret);
  if (access === 'unauthenticated') return textError(401, 'the peer secret is required');
  if (access === 'denied') return textError(403, 'the peer secret is another one here');
  const member = request.headers.get('x-etcd-endpoint') ?? onlyOf(members);
  if (member === null || !site.cluster.has(member)) return textError(404, 'no such member here');
  const stub = site.cluster.stub(member);
  if (request.headers.get('upgrade') === 'websocket') {
    // A request of our own: what else stands in the peer's is none of the member's business.
    const upgrade = new Request('http://member/raft', { headers: { upgrade: 'websocket' } });
    return stub.fetch(upgrade).catch(unavailable);
  }
  if (request.method !== 'POST') return textError(405, 'Method Not Allowed', { Allow: 'POST' });
  const body = await readBuffer(request, bounds);
  try {
    const answer = await stub.raft(body);
    return new Response(answer, { headers: { 'Content-Type': 'application/cbor' } });
  } catch (error) {
    return unavailable(error);
  }
}

function unavailable(error: unknown): Response {
  return textError(503, error instanceof Error ? error.message : 'the member is not available');
}

function onlyOf(members: readonly string[]): string | null {
  return members.length === 1 && members[0] !== undefined ? members[0] : null;
}
