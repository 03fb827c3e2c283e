import fc from 'fast-check';
import type { Entry, Message, SnapshotMeta } from '../raft/message.ts';
import { EntryKind } from '../raft/message.ts';

const id = fc.constantFrom('0000000000000001', '8e9e05c52164694d', 'ffffffffffffffff');
/** Small ones, those around the sizes of CBOR's integers, and the largest. */
const count = fc.oneof(
  fc.nat(30),
  fc.constantFrom(255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
);
const flag = fc.boolean();
const data = fc.uint8Array({ maxLength: 40 });
const ids = fc.array(id, { maxLength: 3 });

const entries: fc.Arbitrary<Entry[]> = fc
  .tuple(
    fc.nat(2 ** 40),
    fc.array(fc.record({ term: count, kind: fc.constantFrom(...Object.values(EntryKind)), data }), {
      maxLength: 4,
    }),
  )
  .map(([first, list]) => list.map((entry, at) => ({ index: first + at, ...entry })));

const snapshot: fc.Arbitrary<SnapshotMeta> = fc.record({
  index: count,
  term: count,
  confState: fc.record({
    voters: ids,
    votersOutgoing: ids,
    learners: ids,
    learnersNext: ids,
    autoLeave: flag,
  }),
});

const envelope = { from: id, to: id, term: count, epoch: count };

/** One arbitrary for each type: a type that is added to the union and not here does not compile. */
const MESSAGES: {
  readonly [T in Message['type']]: fc.Arbitrary<Extract<Message, { type: T }>>;
} = {
  append: fc.record({
    type: fc.constant('append'),
    ...envelope,
    prevIndex: count,
    prevTerm: count,
    entries,
    commit: count,
    round: count,
    quiesce: flag,
  }),
  appendReply: fc.record({
    type: fc.constant('appendReply'),
    ...envelope,
    round: count,
    accepted: flag,
    index: count,
    hintIndex: count,
    hintTerm: count,
    attended: flag,
  }),
  vote: fc.record({
    type: fc.constant('vote'),
    ...envelope,
    pre: flag,
    lastIndex: count,
    lastTerm: count,
    transfer: flag,
  }),
  voteReply: fc.record({ type: fc.constant('voteReply'), ...envelope, pre: flag, granted: flag }),
  timeoutNow: fc.record({ type: fc.constant('timeoutNow'), ...envelope }),
  snapshot: fc.record({
    type: fc.constant('snapshot'),
    ...envelope,
    snapshot,
    transferId: fc.string(),
    round: count,
  }),
  read: fc.record({ type: fc.constant('read'), ...envelope, id: count }),
  readReply: fc.record({
    type: fc.constant('readReply'),
    ...envelope,
    id: count,
    index: fc.option(count),
  }),
  propose: fc.record({
    type: fc.constant('propose'),
    ...envelope,
    proposals: fc.array(data, { maxLength: 4 }),
  }),
  commit: fc.record({ type: fc.constant('commit'), ...envelope, commit: count }),
  transfer: fc.record({ type: fc.constant('transfer'), ...envelope, transferee: id }),
};

export const MESSAGE_TYPES = Object.keys(MESSAGES) as Message['type'][];

export function messageOf(type: Message['type']): fc.Arbitrary<Message> {
  return MESSAGES[type];
}

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...Object.values(MESSAGES));
