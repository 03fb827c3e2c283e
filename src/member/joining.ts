import type { MemberId } from '../raft/message.ts';
import type { Links } from '../transport/links.ts';

/** How long to wait before asking again those that did not answer. */
const RETRY_MS = 250;

export interface JoinReport {
  waitingFor(peers: readonly MemberId[]): void;
}

/**
 * The first start of a member: it introduces itself to every other one and takes part when all have
 * written down its database id. Resolves to null then, or to the reason when a peer refuses.
 * So the first start of a cluster needs all its members to be reachable once; later ones need none.
 */
export async function join(
  links: Links,
  sleep: (ms: number) => Promise<void>,
  report: JoinReport,
): Promise<string | null> {
  let waiting: readonly MemberId[] = links.peerIds;
  while (waiting.length > 0) {
    const answers = await Promise.all(waiting.map((peer) => introduce(links, peer)));
    const refusal = answers.find((answer) => typeof answer === 'string');
    if (typeof refusal === 'string') return refusal;
    waiting = waiting.filter((_, at) => answers[at] !== null);
    if (waiting.length === 0) break;
    report.waitingFor(waiting);
    await sleep(RETRY_MS);
  }
  return null;
}

/** Null: the peer knows us now. A text: it refuses us. Undefined: it did not answer. */
async function introduce(links: Links, peer: MemberId): Promise<string | null | undefined> {
  try {
    const reply = await links.exchange(peer, { kind: 'hello' });
    return reply.status === 'refused' ? reply.reason : null;
  } catch {
    return undefined;
  }
}
