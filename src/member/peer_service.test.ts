import { describe, expect, it } from 'vitest';
import type { FrameBody, FrameReply, PeerIdentity } from '../transport/frame.ts';
import { answerFrame, type PeerServiceView } from './peer_service.ts';
import { REMOVED, type Refusal } from './peers.ts';

const self: PeerIdentity = { clusterId: 'c1', memberId: '1', databaseId: 'd1' };
const sender: PeerIdentity = { clusterId: 'c1', memberId: '2', databaseId: 'd2' };

/** A member whose disk confirms when it is told to, and what it answers to one frame. */
class Rig {
  answered: FrameReply | null = null;
  #confirm: () => void = () => {};

  constructor(body: FrameBody, refusal: Refusal | null, view: Partial<PeerServiceView> = {}) {
    const known = { check: () => refusal };
    const base = { self, peering: { known }, runtime: null, reason: 'starting' };
    const durable = () => new Promise<void>((resolve) => Object.assign(this, { confirm: resolve }));
    const whole = { ...base, durable, ...view } as unknown as PeerServiceView;
    void answerFrame({ sender, body }, whole).then((reply) => {
      this.answered = reply;
    });
  }

  set confirm(confirm: () => void) {
    this.#confirm = confirm;
  }

  async durable(): Promise<FrameReply | null> {
    this.#confirm();
    await Promise.resolve();
    await Promise.resolve();
    return this.answered;
  }
}

describe('a peer', () => {
  it('is told that it was removed when that cannot be forgotten any more', async () => {
    const rig = new Rig({ kind: 'hello' }, { status: 'removed', reason: REMOVED });
    await Promise.resolve();
    expect(rig.answered).toBeNull();
    expect((await rig.durable())?.status).toBe('removed');
  });

  it('is known when its database is on the disk', async () => {
    const rig = new Rig({ kind: 'hello' }, null);
    await Promise.resolve();
    expect(rig.answered).toBeNull();
    expect((await rig.durable())?.status).toBe('ok');
  });

  it('is not told of the members by one that was removed', async () => {
    const runtime = { belonging: { memberList: () => new Uint8Array(1) } };
    const left = { runtime, reason: REMOVED } as unknown as Partial<PeerServiceView>;
    const reply = await new Rig({ kind: 'members' }, null, left).durable();
    expect(reply).toMatchObject({ status: 'starting', reason: REMOVED, call: null });
    const stays = { runtime, reason: '' } as unknown as Partial<PeerServiceView>;
    expect((await new Rig({ kind: 'members' }, null, stays).durable())?.status).toBe('ok');
  });
});
