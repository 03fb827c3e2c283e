import type { MemberId, Message } from '../raft/message.ts';
import type { PeerLinks } from './host.ts';

/**
 * What an open request waits for: the turn that works it off, the commit of what it proposes, or a
 * read index.
 */
type Wait = 'turn' | 'propose' | 'read';

export interface OpenRequest {
  readonly from: MemberId;
  readonly wait: Wait;
  readonly reply: (messages: readonly Message[]) => void;
  readonly sinceMs: number;
}

function waitOf(messages: readonly Message[]): Wait {
  if (messages.some(({ type }) => type === 'read')) return 'read';
  return messages.some(({ type }) => type === 'propose') ? 'propose' : 'turn';
}

/** Messages that answer one of the peer's; the others begin an exchange of their own. */
function isReply(message: Message): boolean {
  return (
    message.type === 'appendReply' || message.type === 'voteReply' || message.type === 'readReply'
  );
}

/**
 * Requests of peers that are still open. An append and its acknowledgement are one request and one
 * response: what is for a peer that waits for an answer goes back that way, the rest by its link.
 */
export class Answers {
  readonly #links: PeerLinks;
  #open: OpenRequest[] = [];

  constructor(links: PeerLinks) {
    this.#links = links;
  }

  /** A peer's request with these messages waits for its answer. */
  open(
    from: MemberId,
    messages: readonly Message[],
    reply: OpenRequest['reply'],
    nowMs: number,
  ): void {
    this.#open.push({ from, wait: waitOf(messages), reply, sinceMs: nowMs });
  }

  /** The requests that this turn works off. */
  take(): OpenRequest[] {
    return this.#takeAll('turn');
  }

  /**
   * Messages that wait for no disk. A read index answers the request that asked for it, a commit
   * the one that proposed, any other reply one of those that this turn works off: that one is taken
   * out of `answering`.
   */
  sendNow(messages: readonly Message[], answering: OpenRequest[]): void {
    if (messages.length === 0) return;
    this.#send(
      messages.filter((message) => {
        if (message.type === 'readReply') return !answerFirst(this.#open, 'read', message);
        if (message.type === 'commit') return !answerFirst(this.#open, 'propose', message);
        return !isReply(message) || !answerFirst(answering, 'turn', message);
      }),
    );
  }

  /** This member does not lead: those who proposed will hear of the commit from whoever does. */
  endProposals(): void {
    for (const { reply } of this.#takeAll('propose')) reply([]);
  }

  /** The disk has what these messages speak of; ends the given requests. */
  release(answering: readonly OpenRequest[], messages: readonly Message[]): void {
    let rest = messages;
    for (const { from, reply } of answering) {
      const mine = rest.filter((message) => message.to === from && isReply(message));
      if (mine.length > 0) rest = rest.filter((message) => !mine.includes(message));
      reply(mine);
    }
    this.#send(rest);
  }

  /**
   * Ends requests that have been open since before `beforeMs`: the peer will ask again; proposals
   * since before `proposedBeforeMs`: what has been taken of them is told with the next append.
   */
  expire(beforeMs: number, proposedBeforeMs: number): void {
    const isLate = ({ wait, sinceMs }: OpenRequest) =>
      sinceMs < (wait === 'propose' ? proposedBeforeMs : beforeMs);
    for (const { reply } of this.#takeWhere(isLate)) reply([]);
  }

  releaseAll(): void {
    const all = this.#open;
    this.#open = [];
    for (const { reply } of all) reply([]);
  }

  #takeAll(kind: Wait): OpenRequest[] {
    return this.#takeWhere(({ wait }) => wait === kind);
  }

  #takeWhere(isTaken: (open: OpenRequest) => boolean): OpenRequest[] {
    const taken = this.#open.filter(isTaken);
    if (taken.length > 0) this.#open = this.#open.filter((open) => !isTaken(open));
    return taken;
  }

  #send(messages: readonly Message[]): void {
    const [first] = messages;
    if (first === undefined) return;
    if (messages.every(({ to }) => to === first.to)) return this.#links.send(first.to, messages);
    for (const to of new Set(messages.map((message) => message.to))) {
      this.#links.send(
        to,
        messages.filter((message) => message.to === to),
      );
    }
  }
}

/** The message ends the peer's first request of that kind: it is taken out. */
function answerFirst(requests: OpenRequest[], kind: Wait, message: Message): boolean {
  const at = requests.findIndex(({ wait, from }) => wait === kind && from === message.to);
  const [open] = at < 0 ? [] : requests.splice(at, 1);
  open?.reply([message]);
  return open !== undefined;
}
