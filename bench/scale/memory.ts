import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { System } from '../system.ts';

/** A collector gives memory back some time after it was used. */
const settleMs = 3_000;

/** MiB in memory of each process, by name, after a rest; where /proc tells. */
export async function readMemory(
  { members, front }: System,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  await sleep(settleMs, undefined, { signal });
  const processes = front === undefined ? members : [...members, front];
  const entries = processes.map(({ name, pid }) => [name, residentMiB(pid)] as const);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, number] => entry[1] !== null),
  );
}

function residentMiB(pid: number | null): number | null {
  if (pid === null) return null;
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kiB = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kiB === undefined ? null : Number(kiB) / 1_024;
  } catch {
    return null;
  }
}

/** Milliseconds for which the process has existed. */
export function ageMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const upMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000;
  // The kernel counts in hundredths of a second.
  return upMs - Number(fields[19]) * 10;
}
