import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from './error.ts';

/** A process, told apart from a later one that happens to get the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** When it started, in the words of the operating system. */
  readonly started: string;
}

/** The process with that pid, or null when there is none (or only its remains: a zombie). */
export function findProcess(pid: number): ProcessId | null {
  const started = process.platform === 'linux' ? startedByProc(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** Whether exactly that process still runs. */
export function isAlive(id: ProcessId): boolean {
  return findProcess(id.pid)?.started === id.started;
}

/**
 * Kills at once and waits until it is gone. @returns false when it is still there after `timeoutMs`
 */
export async function killNow(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const stepMs = 20;
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += stepMs) {
    if (!isAlive(id)) return true;
    sendSignal(id.pid, 'SIGKILL');
    await sleep(stepMs);
  }
  return !isAlive(id);
}

/** Sends a signal; a process that is gone already is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * Start time in clock ticks since boot, with the boot's id: the same pid and tick may come again
 * after a reboot.
 */
function startedByProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || started === undefined) return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${started}`;
  } catch {
    return null;
  }
}

function startedByPs(pid: number): string | null {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    }).trim();
    const [state = '', ...started] = text.split(/\s+/);
    return state === '' || state.startsWith('Z') ? null : started.join(' ');
  } catch {
    return null;
  }
}
