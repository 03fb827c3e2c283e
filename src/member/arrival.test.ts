import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { MemberListResponseSchema } from '../api/gen/rpc_pb.ts';
import { decodeFrame, encodeReply, type FrameReply } from '../transport/frame.ts';
import { arrive } from './arrival.ts';
import { idOfNumber } from './identity.ts';
import type { Peer } from './settings.ts';

/** Peer URLs by id, of a learner with a question mark behind it; or no list. */
type Answer = Record<number, string> | 'starting' | 'silent';

/** Members that say who belongs to the cluster: one answer after another, the last for ever. */
class Rig {
  readonly waits: string[] = [];
  readonly asked: string[] = [];
  readonly #answers: Record<string, Answer[]>;

  constructor(answers: Record<string, Answer[]>) {
    this.#answers = answers;
  }

  arrive(self: Peer, exceptId: string | null = null) {
    const peers = Object.keys(this.#answers).map((name) => ({ name, url: `do://${name}` }));
    return arrive(self, [...peers, self], exceptId, {
      databaseId: 'mine',
      linkTo: ({ name }) => ({ exchange: async (body) => this.#answer(name, body) }),
      sleep: async () => {
        if (this.waits.length > 20) throw new Error('never arrives');
      },
      waiting: (reason) => void this.waits.push(reason),
    });
  }

  #answer(name: string, body: Uint8Array): Uint8Array {
    this.asked.push(name);
    expect(decodeFrame(body)).toEqual({
      sender: { clusterId: '', memberId: '', databaseId: 'mine' },
      body: { kind: 'members' },
    });
    const left = this.#answers[name] ?? [];
    const answer = (left.length > 1 ? left.shift() : left[0]) ?? 'silent';
    if (answer === 'silent') throw new Error(`${name} is away`);
    const sender = { clusterId: 'c', memberId: name, databaseId: name };
    const reply: FrameReply = { sender, status: 'ok', reason: 'not yet', messages: [], call: null };
    if (answer === 'starting') return encodeReply({ ...reply, status: 'starting' });
    const members = Object.entries(answer).map(([id, url]) => ({
      ID: BigInt(id),
      name: '',
      peerURLs: [url.replace(/\?$/, '')],
      isLearner: url.endsWith('?'),
    }));
    const list = create(MemberListResponseSchema, { header: { clusterId: 255n }, members });
    return encodeReply({
      ...reply,
      call: { response: toBinary(MemberListResponseSchema, list) },
    });
  }
}

const SELF = { name: 'm4', url: 'do://m4' };

it('a member that was added finds itself by its URL', async () => {
  const rig = new Rig({ m1: [{ 1: 'do://m1', 4: 'do://m4?location=weur' }] });
  expect(await rig.arrive(SELF)).toEqual({
    arrived: true,
    clusterId: idOfNumber(255n),
    memberId: idOfNumber(4n),
    members: [
      { id: idOfNumber(1n), name: 'm1', url: 'do://m1' },
      { id: idOfNumber(4n), name: 'm4', url: 'do://m4?location=weur' },
    ],
  });
  expect(rig.waits).toEqual([]);
});

it('it knows from the first whether it is a learner', async () => {
  const answer = { 1: 'do://m1', 4: 'do://m4?', 5: 'do://m5' };
  const learnerOf = async (self: Peer) => (await new Rig({ m1: [answer] }).arrive(self)).learner;
  expect(await learnerOf(SELF)).toBe(true);
  expect(await learnerOf({ name: 'm5', url: 'do://m5' })).toBeUndefined();
});

it('it asks whoever answers, and waits until it is added', async () => {
  const rig = new Rig({
    m1: ['silent'],
    m2: ['starting', { 1: 'do://m1' }, { 1: 'do://m1', 4: 'do://m4' }],
  });
  const { memberId } = await rig.arrive(SELF);
  expect(memberId).toBe(idOfNumber(4n));
  expect(rig.waits).toEqual([
    'not yet',
    'waiting to be added: no member of the cluster has the peer URL do://m4',
  ]);
  expect(rig.asked.join(' ')).toBe('m1 m2 m1 m2 m1 m2');
});

it('an id that it must not use is not its own', async () => {
  const rig = new Rig({ m1: [{ 3: 'do://m4' }, { 5: 'do://m4' }] });
  expect((await rig.arrive(SELF, idOfNumber(3n))).memberId).toBe(idOfNumber(5n));
  expect(rig.waits).toHaveLength(1);
});

it('elsewhere a URL is taken by the letter', async () => {
  const rig = new Rig({ m1: [{ 4: 'http://d:2380' }, { 4: 'http://d:2381' }] });
  const { memberId } = await rig.arrive({ name: 'm4', url: 'http://d:2381' });
  expect(memberId).toBe(idOfNumber(4n));
  expect(rig.waits).toHaveLength(1);
});

it('it does not ask itself, though it is named by its URL alone, as DNS does', async () => {
  const rig = new Rig({ m4: ['silent'], m1: [{ 4: 'do://m4' }] });
  const { memberId } = await rig.arrive({ name: 'otherwise', url: 'do://m4' });
  expect(memberId).toBe(idOfNumber(4n));
  expect(rig.asked).toEqual(['m1']);
});
