import { beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../api/command.ts';
import { utf8 } from '../lib/bytes.ts';
import type { InstallSnapshot } from '../raft/message.ts';
import { ALL_KEYS } from '../state/key_range.ts';
import { StateMachine } from '../state/machine.ts';
import { MemoryStateStore } from '../state/memory_store.ts';
import { Staging } from './staging.ts';

const VALUE_BYTES = 400_000;

/** A snapshot of three megabytes, so that it has several chunks. */
function chunks(term = 1): Uint8Array[] {
  const machine = new StateMachine(new MemoryStateStore());
  for (let index = 1; index <= 8; index++) {
    const data = encodeCommand({
      memberId: 'm',
      epoch: 1n,
      sequence: BigInt(index),
      request: {
        case: 'put',
        value: {
          $typeName: 'etcdserverpb.PutRequest',
          key: utf8(`k${index}`),
          value: new Uint8Array(VALUE_BYTES).fill(index),
          lease: 0n,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        },
      },
    });
    machine.apply({ index, term, data });
  }
  const snapshot = machine.openSnapshot();
  const list: Uint8Array[] = [];
  for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) list.push(chunk);
  snapshot.close();
  return list;
}

function announce(transferId: string, index = 8, term = 1): InstallSnapshot {
  const confState = {
    voters: ['m'],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const snapshot = { index, term, confState };
  return {
    type: 'snapshot',
    from: 'a',
    to: 'b',
    term,
    epoch: 1,
    round: 1,
    transferId,
    snapshot,
  };
}

const whole = chunks();

describe('a snapshot on its way in', () => {
  let store = new MemoryStateStore();
  let staging = new Staging(store);
  const take = (transferId: string, list: readonly Uint8Array[] = whole) =>
    list.map((chunk, sequence) => staging.take(transferId, sequence, chunk));

  beforeEach(() => {
    store = new MemoryStateStore();
    staging = new Staging(store);
  });

  it('is held when all its chunks have come, under its name and place only', () => {
    expect(whole.length).toBeGreaterThan(2);
    expect(staging.holds(announce('t'))).toBe(false);
    whole.forEach((chunk, sequence) => {
      expect(staging.holds(announce('t'))).toBe(false);
      expect(staging.take('t', sequence, chunk)).toBe(true);
    });
    expect(staging.holds(announce('t'))).toBe(true);
    expect(staging.holds(announce('t'))).toBe(true);
    expect(staging.holds(announce('other'))).toBe(false);
    expect(staging.holds(announce('t', 9))).toBe(false);
    expect(staging.holds(announce('t', 8, 2))).toBe(false);
    store.stageInstall();
    expect(new StateMachine(store).appliedIndex).toBe(8);
    expect(store.count('kv', ALL_KEYS)).toBe(8);
  });

  it('touches nothing live', () => {
    take('t');
    expect(store.count('kv', ALL_KEYS)).toBe(0);
  });

  it('is refused out of order, and goes on where it was', () => {
    const [first, second] = whole;
    expect(staging.take('t', 1, second ?? utf8(''))).toBe(false);
    expect(staging.take('t', 0, first ?? utf8(''))).toBe(true);
    expect(staging.take('t', 2, whole[2] ?? utf8(''))).toBe(false);
    expect(staging.take('other', 1, second ?? utf8(''))).toBe(false);
    whole.slice(1).forEach((chunk, at) => {
      expect(staging.take('t', at + 1, chunk)).toBe(true);
    });
    expect(staging.holds(announce('t'))).toBe(true);
    expect(staging.take('t', whole.length, whole[1] ?? utf8(''))).toBe(false);
  });

  it('gives way to a later one', () => {
    take('old', whole.slice(0, 2));
    expect(take('new')).not.toContain(false);
    expect(staging.take('old', 2, whole[2] ?? utf8(''))).toBe(false);
    expect(staging.holds(announce('old'))).toBe(false);
    expect(staging.holds(announce('new'))).toBe(true);
    store.stageInstall();
    expect(store.count('kv', ALL_KEYS)).toBe(8);
  });

  it('begins again from its first chunk', () => {
    take('t', whole.slice(0, 2));
    expect(take('t')).not.toContain(false);
    expect(staging.holds(announce('t'))).toBe(true);
  });

  it('is given up for a damaged chunk, whatever comes then', () => {
    const damaged = whole.map((chunk, i) =>
      i === 1 ? chunk.map((byte, at) => (at === 1_000 ? byte ^ 1 : byte)) : chunk,
    );
    const taken = take('t', damaged);
    expect(taken.at(-1)).toBe(false);
    expect(staging.holds(announce('t'))).toBe(false);
    expect(take('again')).not.toContain(false);
    expect(staging.holds(announce('again'))).toBe(true);
  });

  it.each([
    ['nothing', new Uint8Array(0), true],
    ['rubbish', utf8('not a snapshot at all'), false],
    ['a cut chunk', whole[0]?.subarray(0, 50) ?? utf8(''), false],
  ])('may begin with %s: it is no snapshot yet', (_, chunk, taken) => {
    expect(staging.take('t', 0, chunk)).toBe(taken);
    expect(staging.holds(announce('t'))).toBe(false);
  });
});
