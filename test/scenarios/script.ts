/**
 * The format of a scenario: a text file that reads like a story and is its own expected output.
 *
 *   # One sentence says which behaviour this pins. More may say why.
 *   campaign 1
 *   > 1 candidate t1
 *
 * A line is a comment (`#`), empty, a command, or a line that the command before it printed (`> `).
 * Replaying a script prints it anew; it passes when nothing changed.
 */

/** Carries out one command and says what it printed, a line each. @throws when the command fails */
export interface Interpreter {
  run(command: string): readonly string[];
}

/** A command that is written wrongly, or an `expect` that does not hold. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

const OUTPUT_PREFIX = '>';

/** The first sentence of the script's first comment: the name of its test. */
export function titleOf(text: string): string {
  const comment: string[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('#')) break;
    comment.push(line.slice(1).trim());
  }
  const sentence = /^(.+?)[.](\s|$)/.exec(comment.join(' '));
  if (!sentence?.[1]) throw new ScriptError('a script begins with a comment: # <a sentence>.');
  return sentence[1];
}

/**
 * The script with what its commands print now in place of what they printed when it was written.
 */
export function replay(text: string, interpreter: Interpreter): string {
  const result: string[] = [];
  for (const [position, line] of text.split('\n').entries()) {
    if (line.startsWith(OUTPUT_PREFIX)) continue;
    result.push(line);
    const command = line.replace(/\s#.*$/, '').trim();
    if (command === '' || command.startsWith('#')) continue;
    for (const printed of runAt(position + 1, command, interpreter)) {
      result.push(`${OUTPUT_PREFIX} ${printed}`.trimEnd());
    }
  }
  return result.join('\n');
}

function runAt(line: number, command: string, interpreter: Interpreter): readonly string[] {
  try {
    return interpreter.run(command);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ScriptError(`line ${line}: ${command}: ${reason}`, { cause: error });
  }
}
