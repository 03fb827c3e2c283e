import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import type { Message } from '../raft/message.ts';
import { Lane } from './lane.ts';

/** A message that is told from others by its id. */
function read(id: number): Message {
  return { type: 'read', from: 'a', to: 'b', term: 1, epoch: 1, id };
}

/** A lane whose posts end when the test says so. */
class Rig {
  readonly posts: number[][] = [];
  readonly #ends: (() => void)[] = [];
  readonly lane: Lane;

  constructor(inFlightMax: number, queueMax: number) {
    const post = (messages: readonly Message[]) => {
      this.posts.push(messages.map((message) => (message.type === 'read' ? message.id : -1)));
      return new Promise<void>((resolve) => this.#ends.push(resolve));
    };
    this.lane = new Lane(post, inFlightMax, queueMax);
  }

  send(...ids: number[]): void {
    this.lane.send(ids.map(read));
  }

  get inFlight(): number {
    return this.#ends.length;
  }

  async end(): Promise<void> {
    this.#ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a lane', () => {
  it('gathers what waits into one post', async () => {
    const rig = new Rig(1, 10);
    for (let id = 1; id <= 4; id++) rig.send(id);
    expect(rig.posts).toEqual([[1]]);
    await rig.end();
    expect(rig.posts).toEqual([[1], [2, 3, 4]]);
    await rig.end();
    rig.send(5);
    expect(rig.posts.at(-1)).toEqual([5]);
  });

  it('posts no more at once than fits in a frame, but one message however large', async () => {
    const sizes: number[] = [];
    let end = () => {};
    const lane = new Lane(
      (messages) => {
        sizes.push(messages.length);
        return new Promise((resolve) => {
          end = resolve;
        });
      },
      1,
      10,
    );
    const envelope = { type: 'propose' as const, from: 'a', to: 'b', term: 1, epoch: 1 };
    const proposals = [new Uint8Array(limits.peerFrameBytesMax / 2 + 1)];
    const huge = [new Uint8Array(limits.peerFrameBytesMax * 2)];
    lane.send([{ ...envelope, proposals: huge }]);
    lane.send([{ ...envelope, proposals }, { ...envelope, proposals }, read(1)]);
    for (let i = 0; i < 3; i++) {
      end();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sizes).toEqual([1, 1, 2]);
  });

  it('has no more posts under way than allowed', async () => {
    const rig = new Rig(3, 10);
    for (let id = 1; id <= 6; id++) rig.send(id);
    expect(rig.posts).toEqual([[1], [2], [3]]);
    await rig.end();
    expect(rig.posts).toEqual([[1], [2], [3], [4, 5, 6]]);
    expect(rig.inFlight).toBe(3);
  });

  it('loses the oldest when too many wait', async () => {
    const rig = new Rig(1, 3);
    rig.send(1);
    rig.send(2, 3);
    rig.send(4, 5);
    await rig.end();
    expect(rig.posts).toEqual([[1], [3, 4, 5]]);
  });

  it('posts nothing for nothing', () => {
    const rig = new Rig(1, 3);
    rig.send();
    expect(rig.posts).toEqual([]);
  });

  it('keeps the order and stays in its bounds, whatever comes', async () => {
    const step = fc.oneof(fc.constant('end' as const), fc.integer({ min: 1, max: 5 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, inFlightMax) => {
          const rig = new Rig(inFlightMax, 4);
          let last = 0;
          for (const each of steps) {
            if (each === 'end') await rig.end();
            else rig.send(...Array.from({ length: each }, () => ++last));
            expect(rig.inFlight).toBeLessThanOrEqual(inFlightMax);
          }
          const posted = rig.posts.flat();
          expect(posted).toEqual([...posted].sort((a, b) => a - b));
          expect(Math.max(0, ...rig.posts.map((post) => post.length))).toBeLessThanOrEqual(4);
          // What is lost is older than anything that still waits: the newest always gets through.
          while (rig.inFlight > 0) await rig.end();
          expect(rig.posts.flat().at(-1) ?? 0).toBe(last);
        },
      ),
      { numRuns: 50 },
    );
  });
});
