import { messageOf, StartError, UsageError } from './error.ts';

/**
 * Runs a command to its end, and the process with it. Exit codes: what `main` resolves to, 1 when
 * it fails, 2 when it was called wrongly. What only its user can mend is told in one line.
 */
export async function run(main: (argv: readonly string[]) => Promise<number>): Promise<never> {
  try {
    process.exit(await main(process.argv.slice(2)));
  } catch (error) {
    const known = error instanceof StartError || error instanceof UsageError;
    console.error(known ? `edgetcd: ${messageOf(error)}` : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}
