/**
 * An invariant of the program does not hold. Never caught to carry on: the member stops, and the
 * platform restarts it from its rows, which is the only state that is known to be good.
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Checks an invariant, in production too. @throws InvariantError */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The value, which the caller knows to be there. @throws InvariantError */
export function must<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new InvariantError(message);
  return value;
}

/** Closes a switch over a union: a member that is not handled is a compile-time error. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
