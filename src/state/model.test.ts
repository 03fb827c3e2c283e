import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STATE_BUGS } from './bugs.ts';
import { Rig } from './testing/rig.ts';
import { life, live } from './testing/steps.ts';

describe('the state machine beside the model', () => {
  it('gives every answer of the model, whatever is flushed, lost, compacted or sent between', () => {
    fc.assert(
      fc.property(life, (steps) => live(new Rig(), steps)),
      { numRuns: 250, seed: 20_260_101 },
    );
  });

  it.each(Object.keys(STATE_BUGS))('notices the seeded bug %s', (bug) => {
    const found = fc.check(
      fc.property(life, (steps) => live(new Rig(new Set([bug])), steps)),
      { numRuns: 2_000, seed: 7, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
