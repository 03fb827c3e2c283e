import { beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../api/command.ts';
import { limits } from '../config.ts';
import { InvariantError } from '../lib/assert.ts';
import { StorageError } from './guarded_store.ts';
import { StateMachine } from './machine.ts';
import { beginState } from './membership.ts';
import { MemoryStateStore } from './memory_store.ts';
import { ops, put, range, Single } from './testing/single.ts';

describe('the state machine', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
  });

  const putCommand = (key: string, value = '') => ({
    case: 'put' as const,
    value: put(key, value),
  });

  it('applies entries in order only', () => {
    const { machine } = member;
    expect(machine.apply({ index: 1, term: 3, data: new Uint8Array(0) })).toBeNull();
    expect([machine.appliedIndex, machine.appliedTerm, machine.revision]).toEqual([1, 3, 1]);
    for (const [index, term] of [
      [1, 3],
      [3, 3],
      [2, 2],
    ] as const) {
      expect(() => machine.apply({ index, term, data: new Uint8Array(0) })).toThrow(InvariantError);
    }
  });

  it('gives a repeated or late command no effect', () => {
    const effect = (epoch: number, sequence: number) =>
      member.applyData(member.encode(putCommand('a'), epoch, sequence)) !== null;
    const tried: [number, number, boolean][] = [
      [1, 1, true],
      [1, 1, false],
      [1, 3, true],
      [1, 2, false],
      [2, 1, true],
      [1, 4, false],
      [2, 1, false],
      [2, 2, true],
    ];
    for (const [epoch, sequence, expected] of tried) {
      expect(effect(epoch, sequence), `${epoch}.${sequence}`).toBe(expected);
    }
    expect(member.machine.revision).toBe(5);
    member.machine.flush();
    member.restart();
    expect(effect(2, 2)).toBe(false);
    expect(effect(1, 9)).toBe(false);
    expect(member.machine.appliedIndex).toBe(10);
  });

  it('takes a command for one term in that term only', () => {
    const encoded = (sequence: number, onlyInTerm: bigint) =>
      encodeCommand({
        memberId: 'm1',
        epoch: 1n,
        sequence: BigInt(sequence),
        onlyInTerm,
        request: putCommand('a'),
      });
    expect(member.applyData(encoded(1, 2n))?.error?.message).toBe('etcdserver: not leader');
    expect(member.machine.revision).toBe(1);
    expect(member.applyData(encoded(2, 1n))?.error).toBeNull();
    expect(member.applyData(encoded(3, 0n))?.error).toBeNull();
    expect(member.machine.revision).toBe(3);
  });

  it('remembers a command that failed as applied', () => {
    const data = member.encode({ case: 'put', value: put('a', '', { lease: 9n }) }, 1, 1);
    expect(member.applyData(data)?.error?.message).toMatch(/lease not found/);
    expect(member.applyData(data)).toBeNull();
  });

  it.each([
    ['no message at all', Uint8Array.of(0xff, 0xff, 0xff)],
    ['cut short', Uint8Array.of(0x0a, 0x7f, 0x01)],
  ])('answers bytes that are no command with an error, and goes on: %s', (_name, data) => {
    const result = member.applyData(data);
    expect(result?.error?.message).toBe('etcdserver: internal error');
    expect(result?.events).toEqual([]);
    expect(member.put('a')).toMatchObject({});
    expect(member.machine.appliedIndex).toBe(2);
  });

  it.each([
    ['put without a key', putCommand('')],
    ['nothing asked for', { case: undefined }],
  ] as const)('refuses a command that no member should have proposed: %s', (_name, request) => {
    expect(typeof member.answer(request)).toBe('string');
    expect(member.machine.revision).toBe(1);
  });

  it('stops for a failing store, whatever the command', () => {
    class FailingStore extends MemoryStateStore {
      failing = false;
      override get(...of: Parameters<MemoryStateStore['get']>): Uint8Array | null {
        if (this.failing) throw new Error('disk gone');
        return super.get(...of);
      }
    }
    const store = new FailingStore();
    const machine = new StateMachine(store);
    const data = member.encode(putCommand('a'), 1, 1);
    store.failing = true;
    expect(() => machine.apply({ index: 1, term: 1, data })).toThrow(StorageError);
  });

  it('loses after a crash only what was not flushed, and the log brings it back equal', () => {
    const entries = Array.from({ length: 50 }, (_, i) => ({
      index: i + 1,
      term: 1,
      data: member.encode(putCommand(`k${i % 7}`, `${i}`), 1, i + 1),
    }));
    for (const entry of entries.slice(0, 30)) member.machine.apply(entry);
    member.machine.flush();
    for (const entry of entries.slice(30)) member.machine.apply(entry);
    const { chain } = member.machine;
    const { hash } = member.machine.hashKv(0);
    member.restart();
    expect([member.machine.appliedIndex, member.machine.revision]).toEqual([30, 31]);
    for (const entry of entries.slice(30)) member.machine.apply(entry);
    expect(member.machine.chain).toBe(chain);
    expect(member.machine.hashKv(0).hash).toBe(hash);
  });

  it('asks for a flush by commands and by bytes, and writes about one row per put', () => {
    const { machine, store } = member;
    for (let i = 0; i < limits.overlayCommandsMax; i++) {
      expect(machine.needsFlush()).toBe(false);
      member.put(`k${i}`, 'x'.repeat(100));
    }
    expect(machine.needsFlush()).toBe(true);
    machine.flush();
    expect(machine.needsFlush()).toBe(false);
    expect(store.rowsWritten / limits.overlayCommandsMax).toBeLessThan(1.05);
    const rows = store.rowsWritten;
    machine.flush();
    expect(store.rowsWritten).toBe(rows);
    for (let i = 0; i < 4; i++) member.put('big', 'x'.repeat(1_100_000));
    expect(machine.needsFlush()).toBe(true);
    machine.flush();
    // Four rows of history, and once more the one before them, which was open; key; place.
    expect(store.rowsWritten - rows).toBe(4 + 1 + 1 + 1);
  });

  it('holds the largest request in a row', () => {
    const value = 'x'.repeat(limits.requestBytesMax - 100);
    member.put('a', value);
    member.put('a', value);
    member.machine.flush();
    member.restart();
    expect(member.found('a')).toEqual([`a=${value}`]);
    expect(member.found('a', '', { revision: 2n })).toEqual([`a=${value}`]);
  });

  it('evaluates a transaction without writes in place', () => {
    member.put('a', '1');
    const value = { $typeName: 'etcdserverpb.TxnRequest' as const, compare: [], failure: [] };
    const response = member.machine.readTxn({ ...value, success: [ops.range('a')] });
    expect(response.responses[0]?.response.value).toMatchObject({ count: 1n });
    expect(() => member.machine.readTxn({ ...value, success: [ops.put('b')] })).toThrow(
      InvariantError,
    );
  });

  it('replays whole revisions within its budget', () => {
    member.put('a', '1');
    member.txn({ success: [ops.put('b', '2'), ops.put('c', '3')] });
    member.put('a', '4');
    const replay = (revisionsMax: number, bytesMax: number) =>
      member.machine
        .eventsFrom(2, true, { revisionsMax, bytesMax })
        .map(({ revision, events }) => `${revision}:${events.length}`);
    expect(replay(9, 9_999)).toEqual(['2:1', '3:2', '4:1']);
    expect(replay(2, 9_999)).toEqual(['2:1', '3:2']);
    expect(replay(9, 0)).toEqual(['2:1']);
    expect(member.machine.eventsFrom(5, true, { revisionsMax: 9, bytesMax: 9 })).toEqual([]);
    member.machine.flush();
    const [batch] = member.machine.eventsFrom(4, true, { revisionsMax: 9, bytesMax: 9_999 });
    expect(batch?.events[0]?.prevKv).toMatchObject({ modRevision: 2n, version: 1n });
  });

  it('hashes what can be read, whatever the rows look like', () => {
    const other = new Single();
    for (const [key, value] of [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ] as const) {
      member.put(key, value);
      member.machine.flush();
      other.put(key, value);
    }
    for (const revision of [0, 2, 3, 4]) {
      expect(member.machine.hashKv(revision)).toEqual(other.machine.hashKv(revision));
    }
    expect(member.machine.hashKv(3).hash).not.toBe(member.machine.hashKv(4).hash);
    expect(member.machine.hashKv(0)).toMatchObject({ compactRevision: -1, hashRevision: 4 });
    expect(() => member.machine.hashKv(5)).toThrow('future revision');
  });

  it('keeps what members publish', () => {
    const publish = (memberId: bigint, name: string) =>
      member.apply({
        case: 'memberPublish',
        value: {
          $typeName: 'edgetcd.MemberPublish',
          memberId,
          name,
          clientUrls: [`http://${name}`],
          peerUrls: ['do://x'],
        },
      });
    const unknown = { name: '', clientUrls: [], peerUrls: [], isLearner: false };
    const members = [5n, 0xff00_0000_0000_0001n].map((id) => ({ id, ...unknown }));
    beginState(member.store, { index: 0, term: 0 }, members);
    member.restart();
    publish(0xff00_0000_0000_0001n, 'last');
    publish(5n, 'old');
    publish(5n, 'first');
    member.machine.flush();
    member.restart();
    expect(member.machine.members().map(({ id, name }) => [id, name])).toEqual([
      [5n, 'first'],
      [0xff00_0000_0000_0001n, 'last'],
    ]);
    expect(member.machine.members()[0]).toMatchObject({
      clientUrls: ['http://first'],
      peerUrls: ['do://x'],
    });
    expect(member.machine.range(range('a')).kvs).toEqual([]);
  });
});
