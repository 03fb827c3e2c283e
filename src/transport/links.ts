import { limits } from '../config.ts';
import { messageOf } from '../lib/error.ts';
import type { MemberId, Message } from '../raft/message.ts';
import {
  decodeReply,
  encodeFrame,
  type FrameBody,
  type FrameReply,
  type PeerIdentity,
} from './frame.ts';
import { Lane } from './lane.ts';
import type { PeerLink } from './peer.ts';
import type { PeerLinks, SnapshotSource } from './peer_links.ts';

/** What the links tell the member. */
export interface LinkEvents {
  received(messages: readonly Message[]): void;
  /** Messages to the peer were lost for certain; clients' writes among them? */
  unreachable(peer: MemberId, withProposals: boolean): void;
  snapshotStatus(to: MemberId, source: SnapshotSource, ok: boolean): void;
  /** The member's timer. */
  after(callback: () => void, ms: number): void;
  /** An exchange ended: for metrics. */
  exchanged(peer: MemberId, sentBytes: number, receivedBytes: number, ms: number): void;
  failed(peer: MemberId, reason: string): void;
  /** Whether the reply comes from the peer as it is known. Null when it does. */
  check(sender: PeerIdentity): string | null;
  /** A peer of our cluster says that this member was removed from it. */
  removed(): void;
}

interface Peer {
  readonly link: PeerLink;
  readonly lanes: Record<LaneName, Lane>;
}

type LaneName = 'raft' | 'propose' | 'read';

/**
 * Clients' writes keep their order, so one request at a time; a question for a read index stays
 * open until it is confirmed and must not hold back anything else.
 */
function laneOf(message: Message): LaneName {
  if (message.type === 'propose') return 'propose';
  return message.type === 'read' ? 'read' : 'raft';
}

/**
 * All peers of one member. Sending never fails; what is lost is reported and repaired by the core.
 */
export class Links implements PeerLinks {
  readonly #self: PeerIdentity;
  readonly #peers = new Map<MemberId, Peer>();
  readonly #events: LinkEvents;
  readonly #nowMs: () => number;

  constructor(
    self: PeerIdentity,
    links: ReadonlyMap<MemberId, PeerLink>,
    events: LinkEvents,
    nowMs: () => number,
  ) {
    this.#self = self;
    this.#events = events;
    this.#nowMs = nowMs;
    for (const [id, link] of links) this.open(id, link);
  }

  /** A peer that is reached by this link from now on. */
  open(id: MemberId, link: PeerLink): void {
    const post = (messages: readonly Message[]) => this.#post(id, messages);
    const { peerRequestsInFlightMax, peerQueueMax } = limits;
    this.#peers.set(id, {
      link,
      lanes: {
        raft: new Lane(post, peerRequestsInFlightMax, peerQueueMax),
        propose: new Lane(post, 1, peerQueueMax),
        read: new Lane(post, 1, peerQueueMax),
      },
    });
  }

  /** Nothing is sent there any more. What is under way may still be answered. */
  close(id: MemberId): void {
    this.#peers.delete(id);
  }

  get peerIds(): readonly MemberId[] {
    return [...this.#peers.keys()];
  }

  send(to: MemberId, messages: readonly Message[]): void {
    const peer = this.#peers.get(to);
    if (!peer) return;
    for (const name of new Set(messages.map(laneOf))) {
      peer.lanes[name].send(messages.filter((message) => laneOf(message) === name));
    }
  }

  sendSnapshot(to: MemberId, source: SnapshotSource): void {
    void this.#stream(to, source).then((ok) => {
      source.close();
      const tell = () => this.#events.snapshotStatus(to, source, ok);
      if (ok) tell();
      else this.#events.after(tell, limits.snapshotRetryMs);
    });
  }

  /** One request and its reply. @throws when the peer cannot be reached or says no */
  async exchange(to: MemberId, body: FrameBody): Promise<FrameReply> {
    const peer = this.#peers.get(to);
    if (peer === undefined) throw new Error(`there is no link to ${to}`);
    const { link } = peer;
    const sentMs = this.#nowMs();
    const bytes = encodeFrame({ sender: this.#self, body });
    const answer = await link.exchange(bytes);
    this.#events.exchanged(to, bytes.length, answer.length, this.#nowMs() - sentMs);
    const reply = decodeReply(answer);
    const { memberId } = reply.sender;
    // Whoever refuses us says why, were it that it belongs to another cluster.
    if (reply.status === 'refused') return reply;
    if (reply.status === 'removed') {
      if (reply.sender.clusterId === this.#self.clusterId) this.#events.removed();
      return reply;
    }
    // One that could not even find out who it is, for want of settings, still says why.
    if (reply.status === 'failed' || memberId === '') throw new Error(reply.reason);
    if (memberId !== to) throw new Error(`the address of ${to} leads to ${memberId}`);
    const mismatch = this.#events.check(reply.sender);
    if (mismatch !== null) throw new Error(mismatch);
    return reply;
  }

  async #post(to: MemberId, messages: readonly Message[]): Promise<void> {
    try {
      const reply = await this.exchange(to, { kind: 'messages', messages });
      if (reply.status !== 'ok') throw new Error(reply.reason);
      if (reply.messages.length > 0) this.#events.received(reply.messages);
    } catch (error) {
      this.#events.failed(to, messageOf(error));
      const isWrite = messages.some(({ type }) => type === 'propose');
      this.#events.unreachable(to, isWrite);
    }
  }

  /** Chunks one after another: a lost one ends the transfer, and the core asks for a new one. */
  async #stream(to: MemberId, source: SnapshotSource): Promise<boolean> {
    const { transferId } = source;
    try {
      for (let sequence = 0; ; sequence++) {
        const chunk = source.next();
        if (chunk === null) return true;
        const reply = await this.exchange(to, { kind: 'chunk', transferId, sequence, chunk });
        if (reply.status !== 'ok') throw new Error(reply.reason);
      }
    } catch (error) {
      this.#events.failed(to, `snapshot: ${messageOf(error)}`);
      return false;
    }
  }
}
