/** An invariant of facts' catalogue (E1 … V7) does not hold: the run has found a bug. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, sentence: string) {
    super(`${invariant}: ${sentence}`);
    this.invariant = invariant;
  }
}

/** Fails the run unless the condition holds. The sentence is built only when it is needed. @throws Violation */
export function holds(
  condition: boolean,
  invariant: string,
  sentence: () => string,
): asserts condition {
  if (!condition) throw new Violation(invariant, sentence());
}
