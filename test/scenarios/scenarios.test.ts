import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CoreScript } from './commands.ts';
import { ConfigScript } from './config.ts';
import { QuorumScript } from './quorum.ts';
import { type Interpreter, replay, titleOf } from './script.ts';

/** Each directory's scripts and who understands them. */
const suites: Readonly<Record<string, () => Interpreter>> = {
  core: () => new CoreScript(),
  config: () => new ConfigScript(),
  quorum: () => new QuorumScript(),
};

/** UPDATE_SCENARIOS=1 rewrites what the commands print; `expect` commands are never rewritten. */
const updates = process.env['UPDATE_SCENARIOS'] === '1';

for (const [suite, interpreter] of Object.entries(suites)) {
  const directory = new URL(`${suite}/`, import.meta.url);
  const files = readdirSync(directory).filter((name) => name.endsWith('.txt'));

  describe(suite, () => {
    test.each(files.sort().map((file) => [titleOf(read(file)), file]))(
      '%s (%s)',
      (_title, file) => {
        const script = read(file);
        const replayed = replay(script, interpreter());
        if (updates && replayed !== script) writeFileSync(new URL(file, directory), replayed);
        else expect(replayed).toBe(script);
      },
    );
  });

  function read(file: string): string {
    return readFileSync(new URL(file, directory), 'utf8');
  }
}
