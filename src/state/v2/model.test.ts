import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, it } from 'vitest';
import { V2ChangeSchema, V2Method } from '../../api/gen/command_pb.ts';
import { limits } from '../../config.ts';
import { TreeRig } from './testing/rig.ts';

const NAMES = ['a', 'b', 'aa', '_h', 'ü'];
const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 0, maxLength: 3 })
  .map((names) => ['/1', ...names].join('/'));
const value = fc.constantFrom('', 'x', 'y', 'z'.repeat(40));

const change = fc.record({
  method: fc.constantFrom(V2Method.PUT, V2Method.PUT, V2Method.PUT, V2Method.POST, V2Method.DELETE),
  path,
  value,
  dir: fc.constantFrom(false, false, true),
  recursive: fc.boolean(),
  prevValue: fc.constantFrom('', '', '', 'x', 'y'),
  /** So many before the newest. */
  back: fc.constantFrom(null, null, null, 0, 1, 2, 3),
  prevExist: fc.constantFrom(undefined, undefined, true, false),
  ttlMs: fc.constantFrom(null, null, 0, 1_000, 3_000),
  refresh: fc.constantFrom(false, false, false, true),
});

type Step = (rig: TreeRig) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: change.map(
      ({ back, ttlMs, prevExist, ...fields }): Step =>
        (rig) => {
          const prevIndex = back === null ? 0n : BigInt(Math.max(0, rig.model.index - back));
          const expirationMs = ttlMs === null ? 0n : BigInt(rig.nowMs + ttlMs);
          const exist = prevExist === undefined ? {} : { prevExist };
          rig.change(create(V2ChangeSchema, { ...fields, ...exist, prevIndex, expirationMs }));
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 500, 1_500).map(
      (ms): Step =>
        (rig) => {
          rig.nowMs += ms;
          rig.expire();
        },
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>(
      (rig) => rig.flush(),
      (rig) => rig.sync(),
      (rig) => rig.crash(),
      (rig) => rig.openSnapshot(),
      (rig) => void rig.sendChunk(),
      (rig) => rig.install(),
    ),
  },
);

function live(steps: readonly Step[]): void {
  const rig = new TreeRig();
  for (const each of steps) each(rig);
  rig.checkAll();
  rig.install();
  rig.crash();
  rig.checkAll();
}

const changeable = limits as { -readonly [name in keyof typeof limits]: number };
const usual = { ...limits };
afterEach(() => void Object.assign(changeable, usual));

describe('the tree of v2 beside a model', () => {
  const lives = fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), live);

  it('gives every answer of the model, whatever is flushed, lost or sent between', () => {
    fc.assert(lives, { numRuns: 300, seed: 20_260_201 });
  });

  it('does so with pages of two rows, chunks of one, events in two and little history', () => {
    changeable.scanPageRowsMax = 2;
    changeable.snapshotChunkBytes = 1;
    changeable.v2EventRowBytes = 60;
    changeable.v2HistoryEvents = 6;
    fc.assert(lives, { numRuns: 300, seed: 20_260_202 });
  });
});
