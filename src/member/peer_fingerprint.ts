import type { MemberId } from '../raft/message.ts';
import type { Links } from '../transport/links.ts';
import {
  decodeFingerprint,
  encodeFingerprintRequest,
  FINGERPRINT_PATH,
  type Fingerprint,
  type FingerprintRequest,
} from './fingerprint.ts';

/** Asks a peer what it has. @throws Error when it cannot be asked */
export async function askFingerprint(
  links: Pick<Links, 'exchange'>,
  peer: MemberId,
  request: FingerprintRequest,
): Promise<Fingerprint> {
  const reply = await links.exchange(peer, {
    kind: 'call',
    path: FINGERPRINT_PATH,
    request: encodeFingerprintRequest(request),
    caller: { username: '', authRevision: 0 },
  });
  if (reply.call === null) throw new Error(reply.reason || 'it did not answer');
  if ('code' in reply.call) throw new Error(reply.call.message);
  return decodeFingerprint(reply.call.response);
}
