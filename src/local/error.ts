/**
 * The cluster cannot start, for a reason the user can act on: shown without a stack, exit code 1.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The command line is wrong: shown without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The `code` of an error of the operating system (ENOENT, EADDRINUSE …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export { messageOf } from '../lib/error.ts';
