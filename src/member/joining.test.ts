import { describe, expect, it } from 'vitest';
import type { FrameReply } from '../transport/frame.ts';
import { decodeFrame, encodeReply } from '../transport/frame.ts';
import { Links } from '../transport/links.ts';
import { join } from './joining.ts';

type Answer = 'ok' | 'starting' | 'refused' | 'removed' | 'failed' | 'silent';

/** Peers that answer each introduction with the next of their answers, the last one for ever. */
class Rig {
  readonly asked: string[] = [];
  readonly waits: string[] = [];
  sleeps = 0;
  readonly #links: Links;

  constructor(peers: Readonly<Record<string, readonly Answer[]>>) {
    const links = Object.entries(peers).map(([id, answers]) => {
      const left = [...answers];
      const exchange = async (body: Uint8Array): Promise<Uint8Array> => {
        expect(decodeFrame(body).body).toEqual({ kind: 'hello' });
        this.asked.push(id);
        const answer = (left.length > 1 ? left.shift() : left[0]) ?? 'silent';
        if (answer === 'silent') throw new Error('nobody there');
        return encodeReply(replyOf(id, answer));
      };
      return [id, { exchange }] as const;
    });
    const ignore = () => {};
    this.#links = new Links(
      { clusterId: 'c', memberId: 'self', databaseId: 'd' },
      new Map(links),
      {
        received: ignore,
        after: (callback, ms) => void setTimeout(callback, ms),
        unreachable: ignore,
        snapshotStatus: ignore,
        exchanged: ignore,
        failed: ignore,
        check: () => null,
        removed: ignore,
      },
      () => 0,
    );
  }

  /** @param spare peers that need not answer */
  async join(spare = 0): Promise<string | null> {
    const sleep = async () => {
      if (++this.sleeps > 20) throw new Error('never joins');
    };
    const waitingFor = (ids: readonly string[]) => void this.waits.push(ids.join());
    const enough = this.#links.peerIds.length - spare;
    const refusal = await join(this.#links, enough, sleep, { waitingFor });
    return refusal?.reason ?? null;
  }
}

function replyOf(memberId: string, status: Exclude<Answer, 'silent'>): FrameReply {
  const sender = { clusterId: 'c', memberId, databaseId: memberId };
  return { sender, status, reason: `${memberId} says ${status}`, messages: [], call: null };
}

describe('joining', () => {
  it('of a lone member needs nobody', async () => {
    const rig = new Rig({});
    expect(await rig.join()).toBeNull();
    expect(rig.sleeps).toBe(0);
  });

  it('ends when every peer has heard of the member', async () => {
    const rig = new Rig({ a: ['ok'], b: ['starting'] });
    expect(await rig.join()).toBeNull();
    expect(rig.asked.sort()).toEqual(['a', 'b']);
    expect(rig.sleeps).toBe(0);
  });

  it('waits for those that do not answer, and asks only them again', async () => {
    const rig = new Rig({ a: ['ok'], b: ['silent', 'failed', 'ok'], c: ['silent', 'ok'] });
    expect(await rig.join()).toBeNull();
    expect(rig.waits).toEqual(['b,c', 'b']);
    expect(rig.asked.join('')).toBe('abcbcb');
  });

  it('ends with the reason of a peer that refuses, even if others are silent', async () => {
    const rig = new Rig({ a: ['silent'], b: ['silent', 'refused'], c: ['ok'] });
    expect(await rig.join()).toBe('b says refused');
  });

  it('ends when enough have heard of it, though others are silent', async () => {
    const rig = new Rig({ a: ['ok'], b: ['silent'], c: ['silent', 'ok'] });
    expect(await rig.join(1)).toBeNull();
    expect(rig.waits).toEqual(['b,c']);
    expect(rig.asked.join('')).toBe('abcbc');
  });

  it('ends when a peer says that the member was removed', async () => {
    const rig = new Rig({ a: ['ok'], b: ['removed'] });
    expect(await rig.join()).toBe('b says removed');
  });
});
