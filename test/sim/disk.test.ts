import { expect, test } from 'vitest';
import { utf8 } from '../../src/lib/bytes.ts';
import type { Entry } from '../../src/raft/message.ts';
import type { PersistBatch } from '../../src/raft/output.ts';
import { InstanceDisk } from './disk.ts';
import { type DiskChange, DiskImage } from './disk_image.ts';

const CONFIG = {
  voters: ['a'],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

function entry(index: number, term: number): Entry {
  return { index, term, kind: 0, data: utf8(`${index}/${term}`) };
}

function batch(entries: readonly Entry[]): PersistBatch {
  return { sequence: 1, hardState: { term: 1, vote: 'a' }, entries, snapshot: null, commit: 0 };
}

/** A disk that hands over its transactions, to be made durable or not. */
function openDisk(): { disk: InstanceDisk; durable: DiskImage; transactions: DiskChange[][] } {
  const durable = new DiskImage();
  const transactions: DiskChange[][] = [];
  const disk = new InstanceDisk(durable.clone(), {
    beforeCall: () => {},
    beforeBatch: () => {},
    sync: (changes) => transactions.push([...changes]),
    reset: () => {},
  });
  return { disk, durable, transactions };
}

test('what is written is read at once, and durable only as a whole transaction', () => {
  const { disk, durable, transactions } = openDisk();
  disk.bootstrap({ index: 0, term: 0, confState: CONFIG });
  disk.write(batch([entry(1, 1), entry(2, 1)]));
  disk.state.put('kv', [{ key: utf8('k'), value: utf8('v') }]);
  expect(disk.load().lastIndex).toBe(2);
  disk.sync(() => {});
  disk.write(batch([entry(3, 1)]));
  expect(durable.lastIndex).toBe(0);
  for (const change of transactions[0] ?? []) durable.apply(change);
  expect(durable.lastIndex).toBe(2);
  expect(durable.tables.kv.get(utf8('k'))).toEqual(utf8('v'));
  expect(disk.load().lastIndex).toBe(3);
});

test('entries replace what conflicts with them, and compaction keeps the term of its place', () => {
  const { disk } = openDisk();
  disk.bootstrap({ index: 0, term: 0, confState: CONFIG });
  disk.write(batch([entry(1, 1), entry(2, 1), entry(3, 1)]));
  disk.write(batch([entry(2, 2)]));
  expect(disk.load().lastIndex).toBe(2);
  expect(disk.term(2)).toBe(2);
  disk.compact({ index: 1, term: 1, confState: CONFIG });
  expect(disk.term(1)).toBe(1);
  expect(disk.entries(2, 3, 1_000)).toEqual([entry(2, 2)]);
  expect(() => disk.entries(1, 2, 1_000)).toThrow('compacted');
});

test('a hole in the log is refused', () => {
  const { disk } = openDisk();
  expect(() => disk.write(batch([entry(5, 1)]))).toThrow('hole');
});

test('staged rows replace the live ones together with the log they come with', () => {
  const { disk } = openDisk();
  disk.bootstrap({ index: 0, term: 0, confState: CONFIG });
  disk.write(batch([entry(1, 1)]));
  disk.state.put('kv', [{ key: utf8('old'), value: utf8('1') }]);
  disk.state.stagePut('kv', [{ key: utf8('new'), value: utf8('2') }]);
  expect(disk.state.get('kv', utf8('new'))).toBeNull();
  const meta = { index: 9, term: 3, confState: CONFIG };
  disk.write({ ...batch([entry(10, 3)]), snapshot: { meta, transferId: 't' } });
  expect(disk.state.get('kv', utf8('new'))).toEqual(utf8('2'));
  expect(disk.state.get('kv', utf8('old'))).toBeNull();
  expect(disk.load()).toMatchObject({ lastIndex: 10, snapshot: meta });
});
