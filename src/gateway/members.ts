import type { MemberRpc } from '../api/call.ts';
import { bearerAccess } from './access.ts';
import { textError } from './answer.ts';
import { deliver, destinationOf } from './delivery.ts';
import type { Site } from './site.ts';

/**
 * GET /members, as etcd has it on its peer port: who the members are, for proxies to find them and
 * for members that join. No method, so whether authentication is on says nothing about it: where
 * not everybody is served, it is for those who know the secret of the members.
 */
export async function showMembers(request: Request, site: Site): Promise<Response> {
  if (request.method !== 'GET') return textError(405, 'Method Not Allowed', { Allow: 'GET' });
  const { open, peerSecret } = site.settings;
  if (!open) {
    if (peerSecret === null) return textError(404, '404 page not found');
    const access = bearerAccess(request.headers, peerSecret);
    if (access === 'unauthenticated') return textError(401, 'the peer secret is required');
    if (access === 'denied') return textError(403, 'the peer secret is another one here');
  }
  const { origin } = new URL(request.url);
  const ask = (member: MemberRpc) => member.v2({ kind: 'peers', origin }, null);
  const { status, headers, body } = await deliver(site.cluster, destinationOf(request, true), ask);
  return new Response(body, { status, headers });
}
