import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BUGS } from '../../src/raft/bugs.ts';
import { CoreScript } from './commands.ts';
import { replay } from './script.ts';

const directory = new URL('core/', import.meta.url);
const files = readdirSync(directory).filter((name) => name.endsWith('.txt'));

/**
 * The scripts that break off: a stated fact or an invariant does not hold, or a message is
 * missing.
 */
function brokenBy(bug: string): string[] {
  return files.filter((file) => {
    const script = readFileSync(new URL(file, directory), 'utf8');
    try {
      replay(script, new CoreScript(new Set([bug])));
      return false;
    } catch {
      return true;
    }
  });
}

/** A suite that can not fail proves nothing: each bug of the past must break some script. */
describe('the scripts find each historic bug', () => {
  test.each(Object.keys(BUGS))('%s', (bug) => {
    expect(brokenBy(bug)).not.toEqual([]);
  });
});
