import fc from 'fast-check';
import { commandRequest, rangeRequest } from './requests.ts';
import type { Rig } from './rig.ts';

/** One thing that happens to a member. */
export type Step = (rig: Rig) => void;

const command: fc.Arbitrary<Step> = fc
  .tuple(
    commandRequest,
    fc.constantFrom(false, false, false, false, true),
    fc.constantFrom(0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n, 2n),
  )
  .map(
    ([make, repeated, onlyInTerm]) =>
      (rig) =>
        rig.command(make(rig.revision), repeated, onlyInTerm),
  );

const read: fc.Arbitrary<Step> = rangeRequest.map((make) => (rig) => rig.check(make(rig.revision)));

const upkeep: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  (rig) => rig.flush(),
  (rig) => rig.flush(),
  (rig) => rig.sync(),
  (rig) => rig.sync(),
  (rig) => rig.crash(),
  (rig) => rig.compactSlice(),
  (rig) => rig.compactSlice(),
  (rig) => rig.compactSlice(),
  (rig) => rig.snapshot('open'),
  (rig) => rig.snapshot('chunk'),
  (rig) => rig.snapshot('chunk'),
  (rig) => rig.snapshot('install'),
);

/** A member's life: mostly commands, some reads, and everything that may come between. */
export const life: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: command },
    { weight: 3, arbitrary: read },
    { weight: 6, arbitrary: upkeep },
  ),
  { minLength: 1, maxLength: 80, size: 'max' },
);

/** Lives the life, then compares everything, before and after removing what is compacted. */
export function live(rig: Rig, steps: readonly Step[]): void {
  for (const step of steps) step(rig);
  rig.checkAll();
  rig.compactFully();
  rig.checkAll();
  rig.flush();
  rig.sync();
  rig.crash();
  rig.checkAll();
}
