/**
 * An invariant does not hold: the run has found a bug. Named by group and number: elections E, log
 * L, state machine S, reads R, watches W, platform P, liveness V; or `assert`, an assertion of the
 * code.
 */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, sentence: string) {
    super(`${invariant}: ${sentence}`);
    this.invariant = invariant;
  }
}

/**
 * Fails the run unless the condition holds. The sentence is built only when it is needed. @throws
 * Violation
 */
export function holds(
  condition: boolean,
  invariant: string,
  sentence: () => string,
): asserts condition {
  if (!condition) throw new Violation(invariant, sentence());
}
