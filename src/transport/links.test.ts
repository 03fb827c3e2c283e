import { describe, expect, it } from 'vitest';
import { must } from '../lib/assert.ts';
import type { MemberId, Message } from '../raft/message.ts';
import {
  decodeFrame,
  encodeReply,
  type Frame,
  type FrameReply,
  type PeerIdentity,
} from './frame.ts';
import { Links } from './links.ts';
import type { SnapshotSource } from './peer_links.ts';

const self: PeerIdentity = { clusterId: 'c', memberId: 'a', databaseId: 'da' };
const peer: PeerIdentity = { clusterId: 'c', memberId: 'b', databaseId: 'db' };

const NOBODY: PeerIdentity = { clusterId: '', memberId: '', databaseId: '' };

const OK: FrameReply = { sender: peer, status: 'ok', reason: '', messages: [], call: null };
const NO_VOTERS = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };

function read(id: number): Message {
  return { type: 'read', from: 'a', to: 'b', term: 1, epoch: 1, id };
}
function propose(text: number): Message {
  const proposals = [Uint8Array.of(text)];
  return { type: 'propose', from: 'a', to: 'b', term: 1, epoch: 1, proposals };
}
const timeoutNow: Message = { type: 'timeoutNow', from: 'a', to: 'b', term: 1, epoch: 1 };

/** The links of member a to member b, which the test plays; what happens is written down. */
class Rig {
  readonly asked: Frame[] = [];
  readonly events: string[] = [];
  readonly received: Message[] = [];
  readonly links: Links;
  /** What b answers; an error is a connection that failed, a promise one that takes its time. */
  answer: (frame: Frame) => FrameReply | Error | Uint8Array | Promise<FrameReply> = () => OK;

  constructor() {
    const exchange = async (body: Uint8Array): Promise<Uint8Array> => {
      const frame = decodeFrame(body);
      this.asked.push(frame);
      const answer = await this.answer(frame);
      if (answer instanceof Error) throw answer;
      return answer instanceof Uint8Array ? answer : encodeReply(answer);
    };
    const note = (event: string) => void this.events.push(event);
    this.links = new Links(
      self,
      new Map([['b', { exchange }]]),
      {
        received: (messages) => void this.received.push(...messages),
        after: (callback) => callback(),
        unreachable: (id) => note(`unreachable ${id}`),
        snapshotStatus: (to, { transferId }, ok) => note(`snapshot ${transferId} ${to} ${ok}`),
        exchanged: (id, sent, got, ms) => note(`exchanged ${id} ${sent > 0} ${got > 0} ${ms}`),
        failed: (id, reason) => note(`failed ${id}: ${reason}`),
        check: ({ databaseId }) => (databaseId === 'db' ? null : `${databaseId} is not db`),
        removed: () => note('removed'),
      },
      () => 0,
    );
  }

  async send(to: MemberId, ...messages: Message[]): Promise<void> {
    this.links.send(to, messages);
    await settled();
  }
}

/** Everything that is already under way has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('sending', () => {
  it('says who sends, and hands on what the peer answers', async () => {
    const rig = new Rig();
    rig.answer = () => ({ ...OK, messages: [timeoutNow] });
    await rig.send('b', read(1));
    expect(rig.asked).toEqual([{ sender: self, body: { kind: 'messages', messages: [read(1)] } }]);
    expect(rig.received).toEqual([timeoutNow]);
    expect(rig.events).toEqual(['exchanged b true true 0']);
  });

  it('to a member that is not known does nothing', async () => {
    const rig = new Rig();
    await rig.send('z', read(1));
    expect(rig.asked).toEqual([]);
    expect(rig.events).toEqual([]);
  });

  it('keeps proposals in order while reads and the rest go their own ways', async () => {
    const rig = new Rig();
    const open: (() => void)[] = [];
    rig.answer = () => new Promise((resolve) => open.push(() => resolve(OK)));
    await rig.send('b', propose(1), read(1), timeoutNow, propose(2));
    await rig.send('b', propose(3), read(2), timeoutNow);
    const kinds = () =>
      rig.asked.map(({ body }) =>
        body.kind === 'messages' ? body.messages.map(({ type }) => type).join() : body.kind,
      );
    // The second proposal and the second read wait for the first; two appends overlap.
    expect(kinds()).toEqual(['propose,propose', 'read', 'timeoutNow', 'timeoutNow']);
    for (const answer of open.splice(0)) answer();
    await settled();
    expect(kinds().slice(4).sort()).toEqual(['propose', 'read']);
  });
});

describe('what went wrong', () => {
  it.each<[string, FrameReply | Error | Uint8Array, RegExp]>([
    ['no connection', new Error('connection refused'), /connection refused/],
    ['an answer that is no frame', new Uint8Array(0), /not CBOR/],
    ['a refusal', { ...OK, status: 'refused', reason: 'lost its data' }, /lost its data/],
    ['a peer that starts', { ...OK, status: 'starting', reason: 'waiting for m3' }, /for m3/],
    [
      'a peer with wrong settings',
      { ...OK, sender: NOBODY, status: 'starting', reason: 'ETCD_LOG_LEVEL is wrong' },
      /ETCD_LOG_LEVEL is wrong/,
    ],
    ['a failure', { ...OK, status: 'failed', reason: 'not a frame' }, /not a frame/],
    ['another database', { ...OK, sender: { ...peer, databaseId: 'dx' } }, /dx is not db/],
    ['another member', { ...OK, sender: { ...peer, memberId: 'x' } }, /of b leads to x/],
    ['oneself', { ...OK, sender: { ...self, databaseId: 'db' } }, /of b leads to a/],
  ])('%s is reported, and the peer is unreachable', async (_, answer, words) => {
    const rig = new Rig();
    rig.answer = () =>
      answer instanceof Error || answer instanceof Uint8Array
        ? answer
        : { ...answer, messages: [timeoutNow] };
    await rig.send('b', read(1));
    const events = rig.events.filter((event) => !event.startsWith('exchanged'));
    expect(events).toEqual([expect.stringMatching(words), 'unreachable b']);
    expect(rig.received).toEqual([]);
    // The lane goes on.
    rig.answer = () => OK;
    await rig.send('b', read(2));
    expect(rig.asked).toHaveLength(2);
  });

  it('an exchange with a member that is not known is rejected', async () => {
    await expect(new Rig().links.exchange('z', { kind: 'hello' })).rejects.toThrow('no link to z');
  });

  it('an exchange hands a refusal to its caller', async () => {
    const rig = new Rig();
    rig.answer = () => ({ ...OK, status: 'refused', reason: 'no' });
    expect((await rig.links.exchange('b', { kind: 'hello' })).status).toBe('refused');
  });
});

/** A snapshot of three chunks. A class, because its methods need their object. */
class Source implements SnapshotSource {
  readonly meta = { index: 9, term: 2, confState: { ...NO_VOTERS, autoLeave: false } };
  readonly transferId = 't1';
  closed = 0;
  #left = [1, 2, 3];

  next(): Uint8Array | null {
    const chunk = this.#left.shift();
    return chunk === undefined ? null : Uint8Array.of(chunk);
  }

  close(): void {
    this.closed++;
  }
}

describe('a snapshot', () => {
  const chunksOf = (rig: Rig) =>
    rig.asked.map(({ body }) => (body.kind === 'chunk' ? [body.sequence, ...body.chunk] : []));

  it('goes chunk by chunk, is closed and reported', async () => {
    const rig = new Rig();
    const source = new Source();
    let underWay = 0;
    rig.answer = async () => {
      expect(++underWay).toBe(1);
      await settled();
      underWay--;
      return OK;
    };
    rig.links.sendSnapshot('b', source);
    for (let i = 0; i < 6; i++) await settled();
    expect(chunksOf(rig)).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(source.closed).toBe(1);
    expect(rig.events.at(-1)).toBe('snapshot t1 b true');
  });

  it.each([
    ['refused', () => ({ ...OK, status: 'refused' as const, reason: 'out of order' })],
    ['lost', () => new Error('gone')],
  ])('ends with the first chunk that is %s', async (_, bad) => {
    const rig = new Rig();
    const source = new Source();
    rig.answer = ({ body }) => (body.kind === 'chunk' && body.sequence === 1 ? bad() : OK);
    rig.links.sendSnapshot('b', source);
    await settled();
    expect(chunksOf(rig)).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(source.closed).toBe(1);
    expect(rig.events.at(-1)).toBe('snapshot t1 b false');
    expect(must(rig.events.at(-2), 'event')).toMatch(/^failed b: snapshot: /);
  });

  it('to a member that is not known fails', async () => {
    const rig = new Rig();
    const source = new Source();
    rig.links.sendSnapshot('z', source);
    await settled();
    expect(rig.events.at(-1)).toBe('snapshot t1 z false');
    expect(source.closed).toBe(1);
  });
});
