import { abortAllDurableObjects } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import type { ConfState, Entry, SnapshotMeta } from '../../src/raft/message.ts';
import type { PersistBatch } from '../../src/raft/output.ts';
import { blobOf } from '../../src/storage/sql.ts';
import { inScratch, type Scratch } from './scratch.ts';

const CONFIG: ConfState = {
  voters: ['a', 'b'],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

function entries(first: number, last: number, term = 1): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    return { index: first + i, term, kind: 0, data: utf8(`${first + i}`) };
  });
}

function batch(more: Partial<PersistBatch>): PersistBatch {
  return { sequence: 1, hardState: null, entries: [], snapshot: null, commit: 0, ...more };
}

function meta(index: number, term: number): SnapshotMeta {
  return { index, term, confState: CONFIG };
}

const ROW = { key: utf8('k'), value: utf8('v') };

describe('a member’s database', () => {
  it('is empty at first', () =>
    inScratch('disk-empty', (scratch) => {
      const loaded = scratch.disk().load();
      expect(loaded).toMatchObject({
        hardState: { term: 0, vote: null },
        snapshot: { index: 0, term: 0, confState: { voters: [] } },
        lastIndex: 0,
        commit: 0,
        epoch: 0,
      });
    }));

  it('gives the next instance all that was written, from rows alone', async () => {
    await inScratch('disk-restart', async (scratch, { storage }) => {
      const disk = scratch.disk();
      disk.bootstrap({ index: 0, term: 0, confState: CONFIG });
      disk.saveEpoch(3);
      disk.write(batch({ hardState: { term: 2, vote: 'b' }, entries: entries(1, 5), commit: 4 }));
      await storage.sync();
    });
    await abortAllDurableObjects();
    await inScratch('disk-restart', (scratch) => {
      const disk = scratch.disk();
      expect(disk.load()).toEqual({
        hardState: { term: 2, vote: 'b' },
        snapshot: meta(0, 0),
        lastIndex: 5,
        commit: 4,
        epoch: 3,
      });
      expect(disk.entries(1, 6, Infinity)).toEqual(entries(1, 5));
      expect(() => disk.write(batch({ entries: entries(7, 7) }))).toThrow(InvariantError);
    });
  });

  it('reports to the one who waits when everything is durable', () =>
    inScratch('disk-sync', async (scratch) => {
      const disk = scratch.disk();
      disk.saveEpoch(1);
      expect(await new Promise((resolve) => disk.sync(resolve))).toBeNull();
    }));

  it('is bootstrapped once', () =>
    inScratch('disk-bootstrap', (scratch) => {
      const disk = scratch.disk();
      disk.bootstrap({ index: 0, term: 0, confState: CONFIG });
      disk.compact(meta(0, 0));
      disk.write(batch({ entries: entries(1, 3) }));
      disk.compact(meta(2, 1));
      expect(() => scratch.disk().bootstrap(meta(1, 0))).toThrow(InvariantError);
    }));
});

describe('a turn’s batch', () => {
  it('costs one row for its entries, one for the hard state', () =>
    inScratch('disk-cost', (scratch) => {
      const disk = scratch.disk();
      disk.write(batch({ entries: entries(1, 1) }));
      const cost = (more: Partial<PersistBatch>) =>
        scratch.rowsWritten(() => disk.write(batch(more)));
      expect(cost({ entries: entries(2, 65) })).toBe(1);
      expect(cost({ hardState: { term: 2, vote: null } })).toBe(1);
      expect(cost({ hardState: { term: 3, vote: 'a' }, entries: entries(66, 66) })).toBe(2);
      expect(cost({})).toBe(0);
    }));

  it('is undone whole when a part of it fails', () =>
    inScratch('disk-rollback', (scratch) => {
      const disk = scratch.disk();
      disk.write(batch({ hardState: { term: 1, vote: 'a' }, entries: entries(1, 3), commit: 2 }));
      const before = disk.load();
      const gap = batch({ hardState: { term: 9, vote: 'b' }, entries: entries(8, 9), commit: 7 });
      expect(() => disk.write(gap)).toThrow(InvariantError);
      expect(scratch.disk().load()).toEqual(before);
      const snapshot = { meta: meta(50, 9), transferId: 't' };
      disk.state.put('kv', [ROW]);
      const install = batch({ snapshot, entries: entries(60, 61, 9) });
      expect(() => disk.write(install)).toThrow(InvariantError);
      const after = scratch.disk();
      expect(after.load()).toEqual(before);
      expect(after.entries(1, 4, Infinity)).toEqual(entries(1, 3));
      expect(after.state.get('kv', ROW.key)).toEqual(ROW.value);
    }));

  it('that holds a snapshot replaces state, log and configuration', () =>
    inScratch('disk-install', (scratch) => {
      const disk = scratch.disk();
      disk.bootstrap({ index: 0, term: 0, confState: { ...CONFIG, voters: ['z'] } });
      disk.state.put('kv', [{ key: utf8('old'), value: utf8('1') }]);
      disk.write(batch({ entries: entries(1, 9), commit: 3 }));
      disk.state.stageClear();
      disk.state.stagePut('kv', [ROW]);
      const snapshot = { meta: meta(100, 7), transferId: 't' };
      disk.write(batch({ snapshot, entries: entries(101, 102, 8), commit: 100 }));
      const again = scratch.disk();
      for (const each of [disk, again]) {
        expect(each.load()).toMatchObject({ snapshot: meta(100, 7), lastIndex: 102, commit: 100 });
        expect([each.term(100), each.term(101)]).toEqual([7, 8]);
        expect(each.state.get('kv', utf8('old'))).toBeNull();
        expect(each.state.get('kv', ROW.key)).toEqual(ROW.value);
        expect(() => each.entries(9, 10, 1)).toThrow(InvariantError);
      }
    }));
});

describe('compaction', () => {
  it('remembers the term of its place, and commits at least as far', () =>
    inScratch('disk-compact', (scratch) => {
      const disk = scratch.disk();
      disk.write(batch({ entries: [...entries(1, 3, 1), ...entries(4, 6, 2)] }));
      disk.compact(meta(4, 2));
      for (const each of [disk, scratch.disk()]) {
        expect(each.load()).toMatchObject({ snapshot: meta(4, 2), lastIndex: 6, commit: 4 });
        expect([each.term(4), each.term(5)]).toEqual([2, 2]);
        expect(each.entries(5, 7, Infinity)).toEqual(entries(5, 6, 2));
      }
    }));
});

describe('a database that is not as it must be', () => {
  const open = (scratch: Scratch) => () => scratch.disk();

  it('of another schema version is not opened', () =>
    inScratch('disk-schema', (scratch) => {
      scratch.disk().saveEpoch(1);
      scratch.meta.set('schemaVersion', 1);
      expect(open(scratch)).toThrow('written by an earlier release (schema version 1, this one');
      scratch.sql.run("UPDATE meta SET value = 3 WHERE name = 'schemaVersion'");
      expect(open(scratch)).toThrow('written by a later release (schema version 3, this one');
      scratch.sql.run("UPDATE meta SET value = 2 WHERE name = 'schemaVersion'");
      expect(scratch.disk().load().epoch).toBe(1);
    }));

  it('with a damaged last row is not opened', () =>
    inScratch('disk-damage', (scratch) => {
      scratch.disk().write(batch({ entries: entries(1, 2) }));
      const body = blobOf(scratch.sql.row('SELECT body FROM log_1')?.[0]);
      body.set([7], body.length >> 1);
      scratch.sql.run('UPDATE log_1 SET body = ?', body);
      expect(open(scratch)).toThrow(InvariantError);
    }));
});

describe('single values', () => {
  it('are of the kind that was written, or not there', () =>
    inScratch('meta', ({ meta: table }) => {
      table.set('number', 7);
      table.set('text', '7');
      table.set('bytes', Uint8Array.of(7));
      const kinds = ['number', 'text', 'bytes', 'none'].map((name) => [
        table.number(name),
        table.text(name),
        table.bytes(name) && [...(table.bytes(name) ?? [])],
      ]);
      expect(kinds).toEqual([
        [7, null, null],
        [null, '7', null],
        [null, null, [7]],
        [null, null, null],
      ]);
      table.set('number', 2 ** 53 - 1);
      expect(table.number('number')).toBe(2 ** 53 - 1);
    }));
});
