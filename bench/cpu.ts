import { readFileSync } from 'node:fs';
import type { System } from './system.ts';

/** The kernel's USER_HZ, the same on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Seconds of CPU each process of it has used, by name; only where /proc tells. */
export function readCpuSeconds({ members, front }: System): Map<string, number> {
  const processes = front === undefined ? members : [...members, front];
  const seconds = processes.map(({ name, pid }) => [name, cpuSeconds(pid)] as const);
  return new Map(seconds.filter((entry): entry is [string, number] => entry[1] !== null));
}

/** What was used between two readings. */
export function cpuGrowth(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map([...after].map(([name, now]) => [name, now - (before.get(name) ?? now)]));
}

function cpuSeconds(pid: number | null): number | null {
  if (pid === null) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return null;
  }
}
