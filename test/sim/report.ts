import type { RunReport } from './simulation.ts';

/** What a person needs to know of a failed run, and the line that replays it. */
export function reportOf(report: RunReport, bug: string | null): string {
  const { seed, size, profile, violation, recent } = report;
  const withBug = bug === null ? '' : ` --bug ${bug}`;
  return [
    `seed ${seed}, ${size} members, ${profile}: ${violation?.message ?? 'every invariant held'}`,
    ...recent,
    `replay: npm run sim -- --seed ${seed} --size ${size} --profile ${profile}${withBug} --verbose`,
  ].join('\n');
}
