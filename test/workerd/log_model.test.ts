import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { Entry } from '../../src/raft/message.ts';
import { inScratch, type Scratch } from './scratch.ts';

// So small that a few steps cross every bound.
vi.mock('../../src/config.ts', async (original) => {
  const config = await original<typeof import('../../src/config.ts')>();
  const limits = { ...config.limits, logSegmentRows: 3, logSegmentBytes: 400, rowBytesMax: 150 };
  return { ...config, limits };
});

type Step =
  | { readonly does: 'append'; readonly back: number; readonly sizes: readonly number[] }
  | { readonly does: 'compact' | 'reset'; readonly by: number }
  | { readonly does: 'reload' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('append' as const),
      // Mostly at the end; otherwise it replaces that many entries.
      back: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(12)),
      sizes: fc.array(fc.nat(90), { minLength: 1, maxLength: 6 }),
    }),
  },
  fc.record({ does: fc.constantFrom('compact' as const, 'reset' as const), by: fc.nat(8) }),
  fc.record({ does: fc.constant('reload' as const) }),
);

/** The log as a list, and the same in SQLite. */
function live(scratch: Scratch, steps: readonly Step[]): void {
  let log = scratch.log();
  log.reset(0);
  let entries: Entry[] = [];
  let snapshotIndex = 0;
  let term = 1;
  const last = () => entries.at(-1)?.index ?? snapshotIndex;
  for (const each of steps) {
    if (each.does === 'append') {
      const first = Math.max(snapshotIndex + 1, last() + 1 - each.back);
      term++;
      const added = each.sizes.map((size, i): Entry => {
        return { index: first + i, term, kind: 0, data: new Uint8Array(size).fill(term) };
      });
      entries = [...entries.filter(({ index }) => index < first), ...added];
      log.append(added, snapshotIndex);
    } else if (each.does === 'compact') {
      snapshotIndex = Math.min(last(), snapshotIndex + each.by);
      entries = entries.filter(({ index }) => index > snapshotIndex);
      log.compact(snapshotIndex);
    } else if (each.does === 'reset') {
      snapshotIndex = last() + each.by;
      entries = [];
      log.reset(snapshotIndex);
    } else {
      log = scratch.log(snapshotIndex);
    }
    expect(log.lastIndex).toBe(last());
    expect(log.entries(snapshotIndex + 1, last() + 1, Infinity)).toEqual(entries);
    for (const { index, term: expected } of entries) expect(log.term(index)).toBe(expected);
  }
}

it('the log is a list of entries, whatever is done to it', () =>
  inScratch('log-model', (scratch) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => live(scratch, steps)),
      { numRuns: 100 },
    );
    expect(scratch.tables('log_').length).toBeLessThan(30);
  }));
