import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { RangeRequestSchema } from '../api/gen/rpc_pb.ts';
import { MemoryStateStore } from './memory_store.ts';
import { readMeta } from './meta.ts';
import { evaluate, execute, Parts } from './parts.ts';
import { evaluateRange } from './range.ts';
import { commandRequest } from './testing/requests.ts';
import { ops, put, txn } from './testing/single.ts';

const NO_BUGS: ReadonlySet<string> = new Set();

function newParts(store = new MemoryStateStore()): Parts {
  return new Parts(store, readMeta(store), NO_BUGS);
}

/** Everything that can be read, at every revision. */
function picture({ mvcc, leases, alarms }: Parts): unknown {
  const answers: unknown[] = [mvcc.revision, mvcc.compactRevision, alarms.active];
  for (let revision = Math.max(1, mvcc.compactRevision); revision <= mvcc.revision; revision++) {
    const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), revision: BigInt(revision) };
    answers.push(evaluateRange(mvcc, create(RangeRequestSchema, all)));
  }
  for (const lease of leases.list(null, Infinity))
    answers.push(lease, [...leases.keysOf(lease.id)]);
  answers.push([...mvcc.history.from(0)]);
  return answers;
}

/** A put that is noticed to be impossible only after it was made. */
function breakingPut(key: string): Command['request'] {
  const request = put(key, 'x');
  let asked = 0;
  Object.defineProperty(request, 'prevKv', {
    get() {
      // First for what is to be read, then for what is to be answered.
      if (++asked === 2) throw new TypeError('this evaluator has a bug');
      return false;
    },
  });
  return { case: 'put', value: request };
}

describe('a command', () => {
  it('that breaks its evaluator half-way has no effect, and is told of as internal error', () => {
    const parts = newParts();
    execute(parts, { case: 'put', value: put('a', '1') });
    const before = picture(parts);
    const { error, changes } = execute(parts, breakingPut('a'));
    expect(error?.message).toBe('etcdserver: internal error');
    expect(changes).toEqual([]);
    expect(picture(parts)).toEqual(before);
    const breaking = breakingPut('b');
    const op = ops.put('b');
    if (breaking.case === 'put') op.request = { case: 'requestPut', value: breaking.value };
    const value = txn({ success: [ops.put('c'), ops.delete('a'), op] });
    expect(execute(parts, { case: 'txn', value }).error?.message).toMatch(/internal/);
    expect(picture(parts)).toEqual(before);
    expect(execute(parts, { case: 'put', value: put('a', '2') }).changes).toHaveLength(1);
  });

  it('that is taken back leaves nothing, whatever it was', () => {
    const step = fc.tuple(commandRequest, fc.constantFrom('keep', 'take back', 'flush'));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const parts = newParts();
        for (const [make, fate] of steps) {
          const request = make(BigInt(parts.mvcc.revision));
          if (fate === 'flush') parts.flush();
          if (fate !== 'take back') execute(parts, request);
          else expectTakenBack(parts, request);
        }
      }),
      { numRuns: 100, seed: 11 },
    );
  });
});

function expectTakenBack(parts: Parts, request: Command['request']): void {
  const before = picture(parts);
  const { unflushedBytes } = parts;
  try {
    evaluate(parts, request);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
  }
  parts.rollback();
  expect(picture(parts)).toEqual(before);
  expect(parts.unflushedBytes).toBe(unflushedBytes);
}
