import { messageOf } from '../lib/error.ts';
import type { Message } from '../raft/message.ts';
import { decodeFrame, type Frame, type FrameReply, type PeerIdentity } from '../transport/frame.ts';
import type { Peering } from './peering.ts';
import type { Runtime } from './runtime.ts';

const NOBODY: PeerIdentity = { clusterId: '', memberId: '', databaseId: '' };

/** The member that peers speak to. */
export interface PeerServiceView {
  /** Null while it does not know who it is. */
  readonly self: PeerIdentity | null;
  readonly peering: Peering | null;
  /** Null while it does not take part. */
  readonly runtime: Runtime | null;
  /** Why it does not take part, or not any more: one that was removed still has a runtime. */
  readonly reason: string;
  /** Resolves when what was written so far is durable. */
  durable(): Promise<void>;
}

/** A peer's frame, or what is wrong with it. */
export function frameOf(bytes: Uint8Array): Frame | string {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    return messageOf(error);
  }
}

/** Answers a frame of a peer. Never throws. */
export async function answerFrame(
  frame: Frame | string,
  view: PeerServiceView,
): Promise<FrameReply> {
  const { peering, runtime } = view;
  const answer = (status: FrameReply['status'], reason: string): FrameReply => {
    return { sender: view.self ?? NOBODY, status, reason, messages: [], call: null };
  };
  if (typeof frame === 'string') return answer('failed', frame);
  const { sender, body } = frame;
  // Whoever joins does not know who it is; who may come this far was looked at before.
  if (body.kind === 'members') {
    // One that was removed knows the members of its time.
    if (runtime === null || view.reason !== '') return answer('starting', view.reason);
    return { ...answer('ok', ''), call: { response: runtime.belonging.memberList() } };
  }
  const refusal = peering?.known.check(sender) ?? null;
  // A leader that was removed leads on until another does: until then it has to be heard.
  const leads = runtime !== null && runtime.node.soft.leader === sender.memberId;
  if (refusal !== null && !(refusal.status === 'removed' && leads)) {
    // Who does not vote elects nobody by what it knows: who was removed waits for a voter.
    const told = refusal.status !== 'removed' || runtime === null || runtime.belonging.votes;
    // Who hears it is gone for good: its vote must not be needed again by one that has crashed and
    // does not know any more that the removal is committed.
    if (refusal.status === 'removed') await view.durable();
    return answer(told ? refusal.status : 'failed', refusal.reason);
  }
  if (body.kind === 'hello') {
    if (peering === null) return answer('failed', 'starting');
    // Whoever is answered counts on being known by its database from now on.
    await view.durable();
    return answer('ok', '');
  }
  if (runtime === null) return answer('starting', view.reason);
  if (body.kind === 'call') {
    return { ...answer('ok', ''), call: await runtime.answerCall({ sender, body }) };
  }
  if (body.kind === 'chunk') {
    const { transferId, sequence, chunk } = body;
    const taken = runtime.node.receiveChunk(transferId, sequence, chunk);
    if (!taken) return answer('refused', 'the chunk does not continue what is staged');
    return answer('ok', '');
  }
  const isOwn = ({ from, to }: Message) => from === sender.memberId && to === view.self?.memberId;
  if (!body.messages.every(isOwn)) return answer('failed', 'messages of or for another member');
  return new Promise((resolve) => {
    runtime.node.receive(body.messages, (messages) => resolve({ ...answer('ok', ''), messages }));
  });
}
