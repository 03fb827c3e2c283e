import type { MemberId } from '../raft/message.ts';
import type { FrameReply } from '../transport/frame.ts';
import type { Links } from '../transport/links.ts';

/** How long to wait before asking again those that did not answer. */
const RETRY_MS = 250;

export interface JoinReport {
  waitingFor(peers: readonly MemberId[]): void;
}

/**
 * The first start of a member: it introduces itself to every other one, and takes part when enough
 * of them have written down its database id. Resolves to null then, or to what a peer says that
 * refuses.
 *
 * A founder needs all: nobody knows more than it does. So the first start of a cluster needs all
 * its members to be reachable once; later ones need none. One that joins needs most of them, as any
 * decision of the cluster does: it may replace one that is gone for good.
 */
export async function join(
  links: Links,
  enough: number,
  sleep: (ms: number) => Promise<void>,
  report: JoinReport,
): Promise<FrameReply | null> {
  let waiting: readonly MemberId[] = links.peerIds;
  const spare = waiting.length - enough;
  for (;;) {
    const answers = await Promise.all(waiting.map((peer) => introduce(links, peer)));
    const refusal = answers.find((answer) => answer !== null && isRefusal(answer));
    if (refusal) return refusal;
    waiting = waiting.filter((_, at) => answers[at] === null);
    if (waiting.length <= spare) return null;
    report.waitingFor(waiting);
    await sleep(RETRY_MS);
  }
}

function isRefusal({ status }: FrameReply): boolean {
  return status === 'refused' || status === 'removed';
}

/** Null: it did not answer. Anything but a refusal means that the peer knows us now. */
async function introduce(links: Links, peer: MemberId): Promise<FrameReply | null> {
  try {
    return await links.exchange(peer, { kind: 'hello' });
  } catch {
    return null;
  }
}
