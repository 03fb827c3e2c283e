import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Command } from '../api/gen/command_pb.ts';
import {
  DeleteRangeRequestSchema,
  LeaseGrantRequestSchema,
  PutRequestSchema,
} from '../api/gen/rpc_pb.ts';
import { utf8 } from '../lib/bytes.ts';
import { ALL_KEYS } from './key_range.ts';
import { MemoryStateStore } from './memory_store.ts';
import { readMeta } from './meta.ts';
import { execute, Parts } from './parts.ts';
import { Rig } from './testing/rig.ts';
import { Single } from './testing/single.ts';
import { life, live } from './testing/steps.ts';

// The same lives with limits so small that every page, row, cache and chunk comes to its end.
vi.mock('../config.ts', async (original) => {
  const config = await original<typeof import('../config.ts')>();
  const limits = {
    ...config.limits,
    overlayCommandsMax: 5,
    historyRowBytes: 60,
    compactionRowsPerSlice: 2,
    snapshotChunkBytes: 80,
    kvCacheEntriesMax: 2,
    kvCacheBytesMax: 200,
    versionIndexBytesMax: 150,
    historyCacheRowsMax: 2,
    historyCacheBytesMax: 600,
    scanPageRowsMax: 2,
    scanPageBytes: 100,
    compactionMemoKeysMax: 2,
  };
  return { ...config, limits };
});

const SCHEMAS = {
  put: PutRequestSchema,
  deleteRange: DeleteRangeRequestSchema,
  leaseGrant: LeaseGrantRequestSchema,
} as const;

function request<C extends keyof typeof SCHEMAS>(
  name: C,
  fields: MessageInitShape<(typeof SCHEMAS)[C]>,
): Command['request'] {
  return { case: name, value: create<DescMessage>(SCHEMAS[name], fields) } as Command['request'];
}

describe('the state machine beside the model, with tiny limits', () => {
  it('is made of many small rows', () => {
    const member = new Single();
    for (let i = 0; i < 20; i++) member.put('a', 'x'.repeat(50));
    member.machine.flush();
    expect(member.store.count('history', ALL_KEYS)).toBe(20);
    expect(member.snapshotChunks().length).toBeGreaterThan(10);
  });

  it('gives every answer of the model', () => {
    fc.assert(
      fc.property(life, (steps) => live(new Rig(), steps)),
      { numRuns: 250, seed: 20_260_102 },
    );
  });

  it('knows what is replaced, by whatever way it comes to know it', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h').map(utf8);
    const command = fc.oneof(
      fc.record({ key, value: key }).map((fields) => request('put', fields)),
      fc.record({ key, prevKv: fc.boolean() }).map((fields) => request('put', fields)),
      fc.record({ key, lease: fc.constant(7n) }).map((fields) => request('put', fields)),
      fc.record({ key }).map((fields) => request('deleteRange', fields)),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80, size: 'max' }), (commands) => {
        const rig = new Rig();
        rig.command(request('leaseGrant', { ID: 7n, TTL: 60n }));
        for (const each of commands) {
          rig.command(each);
          rig.flush();
        }
        rig.checkAll();
      }),
      { numRuns: 100, seed: 20_261_122 },
    );
  });

  it('does not know of a put that was taken back', () => {
    const store = new MemoryStateStore();
    const parts = new Parts(store, readMeta(store), new Set(), {
      versionIndexBytesMax: 1_000,
      previousWanted: () => false,
    });
    const put = (name: string) => {
      const { changes } = execute(parts, request('put', { key: utf8(name) }));
      parts.flush();
      return changes[0]?.version.version;
    };
    expect([put('a'), put('a')]).toEqual([1, 2]);
    parts.mvcc.put(utf8('a'), { value: utf8('x'), lease: 0n });
    parts.rollback();
    expect([...'bcdef'].map(put)).toEqual([1, 1, 1, 1, 1]);
    expect(put('a')).toBe(3);
  });
});
