import { describe, expect, it } from 'vitest';
import type { MemberId } from '../raft/message.ts';
import { Single } from '../state/testing/single.ts';
import type { FrameReply } from '../transport/frame.ts';
import { decodeFingerprintRequest, encodeFingerprint } from './fingerprint.ts';
import { initialMismatch } from './initial_check.ts';

/** What a peer answers: its hash, null when it cannot say, or that it cannot be reached. */
type Peer = number | null | 'away';

async function check(peers: Readonly<Record<MemberId, (own: number) => Peer>>) {
  const member = new Single();
  for (let i = 0; i < 10; i++) member.put(`k${i}`, 'value');
  member.machine.flush();
  const own = member.machine.hashKv(0).hash;
  const log: string[] = [];
  let polls = 0;
  const exchange = async (peer: MemberId, body: { kind: string; request?: Uint8Array }) => {
    const answer = peers[peer]?.(own) ?? null;
    if (answer === 'away') throw new Error('Network connection lost.');
    const request = decodeFingerprintRequest(body.request ?? new Uint8Array());
    expect(request).toEqual({ index: 0, revision: 11 });
    // Hashing takes a while.
    const pending = polls++ % 3 < 2;
    const hash = pending ? null : answer;
    const response = encodeFingerprint({ chain: null, hash, pending, behind: false });
    return { call: { response } } as FrameReply;
  };
  const mismatch = await initialMismatch({
    memberId: 'a',
    store: member.store,
    links: { exchange, peerIds: Object.keys(peers) } as never,
    sleep: async () => {},
    log: (level, message) => log.push(`${level}: ${message}`),
  });
  return { mismatch, log: log.join('\n') };
}

const same = (own: number) => own;
const other = (own: number) => own + 1;

describe('a member that compares its keys before it takes part', () => {
  it('starts when nobody has others, or nobody can say', async () => {
    for (const peers of [{ b: same, c: same }, { b: same, c: () => 'away' as const }, {}]) {
      expect(await check(peers)).toMatchObject({
        mismatch: null,
        log: expect.stringMatching(/no member has other/),
      });
    }
    expect((await check({ b: () => null, c: () => 'away' })).mismatch).toBeNull();
  });

  it('does not when more than half of the cluster has others', async () => {
    const { mismatch } = await check({ b: other, c: other });
    expect(mismatch).toMatch(/^checkInitialHashKV failed: .* at revision 11/);
  });

  it('starts, and says so, when it is not clear that it is the one', async () => {
    for (const peers of [
      { b: other, c: () => 'away' as const },
      { b: other, c: same },
    ]) {
      const { mismatch, log } = await check(peers);
      expect(mismatch).toBeNull();
      expect(log).toMatch(/warn: members have different keys/);
    }
  });
});
