import { cac } from 'cac';
import { Coverage } from './coverage.ts';
import { PROFILES } from './plan.ts';
import { reportOf } from './report.ts';
import { simulate } from './simulation.ts';

/** `npm run sim`: runs seeds until one finds a bug, and prints how to see it again. */
async function main(): Promise<void> {
  const cli = cac('sim');
  cli.option('--seed <number>', 'The first seed', { default: 1 });
  cli.option('--seeds <count>', 'How many seeds', { default: 1 });
  cli.option('--size <members>', 'Members; the seed chooses when it is not given');
  cli.option('--profile <name>', `One of ${PROFILES.join(', ')}; the seed chooses when not given`);
  cli.option('--bug <name>', 'Switch on a historic bug (src/raft/bugs.ts, src/state/bugs.ts)');
  cli.option('--verbose', 'Print every event');
  cli.option('--coverage', 'Print what happened how often');
  cli.help();
  const { options } = cli.parse();
  if (options['help']) return;

  const coverage = new Coverage();
  const print = options['verbose'] ? (line: string) => console.log(line) : null;
  const startedMs = performance.now();
  let [events, simulatedMs] = [0, 0];
  for (let i = 0; i < Number(options['seeds']); i++) {
    const seed = Number(options['seed']) + i;
    const size = options['size'] === undefined ? null : Number(options['size']);
    const profile = PROFILES.find((name) => name === options['profile']) ?? null;
    const bug: string | null = options['bug'] ?? null;
    const bugs = new Set(bug === null ? [] : [bug]);
    const report = await simulate({ seed, size, profile, bugs, print });
    coverage.merge(report.coverage);
    events += report.events;
    simulatedMs += report.simulatedMs;
    if (report.violation === null) continue;
    console.error(reportOf(report, bug));
    process.exitCode = 1;
    return;
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (options['coverage']) console.log(coverage.table());
  console.log(
    `${options['seeds']} seeds, ${events} events, ${(simulatedMs / 60_000).toFixed(1)} simulated minutes in ${seconds} s: every invariant held`,
  );
}

await main();
