import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../lib/assert.ts';
import { StartError, systemCode } from './error.ts';
import { findProcess, isAlive, type ProcessId } from './process.ts';

/** Who runs a cluster on a data directory: its supervisor and the members' processes. */
interface LockContent {
  readonly supervisor: ProcessId;
  readonly members: Readonly<Record<string, ProcessId>>;
}

/** A lock without readable content is being written right now, unless it is older than this. */
const halfWrittenMs = 5_000;

/**
 * The right to run on a data directory. Two processes on the same databases corrupt each other,
 * so a second one is refused; the lock of a dead process is taken over.
 */
export class DirectoryLock {
  /** Processes that a dead owner left behind: they still have the databases open. */
  readonly leftovers: readonly ProcessId[];
  private readonly path: string;
  private readonly members = new Map<string, ProcessId>();
  private released = false;

  private constructor(path: string, leftovers: readonly ProcessId[]) {
    this.path = path;
    this.leftovers = leftovers;
  }

  /** @throws StartError when a live process holds the lock */
  static acquire(directory: string): DirectoryLock {
    const path = join(directory, 'lock');
    if (create(path)) return new DirectoryLock(path, []);
    const leftovers = removeStale(path, directory);
    // Another starter may have taken over a moment before us.
    if (!create(path)) throw inUse(directory, read(path)?.supervisor.pid);
    return new DirectoryLock(path, leftovers);
  }

  /** Records a member's process (null: none), so that a successor can end it if we die. */
  setMember(name: string, pid: number | null): void {
    // A member's end may be noticed after the directory was given up, perhaps to a successor.
    if (this.released) return;
    const id = pid === null ? null : findProcess(pid);
    if (id === null) this.members.delete(name);
    else this.members.set(name, id);
    // Renamed into place: a reader never sees half of it.
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, encode(Object.fromEntries(this.members)));
    renameSync(temporary, this.path);
  }

  release(): void {
    this.released = true;
    rmSync(this.path, { force: true });
  }
}

function encode(members: LockContent['members']): string {
  const supervisor = must(findProcess(process.pid), 'this process runs');
  const content: LockContent = { supervisor, members };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Creates the lock file. @returns false when there is one */
function create(path: string): boolean {
  try {
    writeFileSync(path, encode({}), { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The lock's content, or null when it is gone or not readable. */
function read(path: string): LockContent | null {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8'));
    return isLockContent(content) ? content : null;
  } catch {
    return null;
  }
}

function isLockContent(value: unknown): value is LockContent {
  if (typeof value !== 'object' || value === null) return false;
  if (!('supervisor' in value) || !isProcessId(value.supervisor)) return false;
  if (!('members' in value) || typeof value.members !== 'object' || value.members === null) {
    return false;
  }
  return Object.values(value.members).every(isProcessId);
}

function isProcessId(value: unknown): value is ProcessId {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isInteger(value.pid) &&
    'started' in value &&
    typeof value.started === 'string'
  );
}

/**
 * Removes the lock of a dead process. @returns what it left behind @throws StartError when the
 * owner lives
 */
function removeStale(path: string, directory: string): ProcessId[] {
  const judged = read(path);
  if (judged === null && ageMs(path) < halfWrittenMs) throw inUse(directory, undefined);
  if (judged !== null && isAlive(judged.supervisor)) {
    throw inUse(directory, judged.supervisor.pid);
  }
  // Moved aside rather than deleted, then looked at again: between reading and moving, another
  // starter may have put its own lock there, which must not be lost.
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  const moved = read(aside);
  if (moved !== null && isAlive(moved.supervisor)) {
    renameSync(aside, path);
    throw inUse(directory, moved.supervisor.pid);
  }
  rmSync(aside, { force: true });
  return Object.values(judged?.members ?? {}).filter(isAlive);
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function inUse(directory: string, pid: number | undefined): StartError {
  const owner = pid === undefined ? 'another process that is starting' : `process ${pid}`;
  return new StartError(
    `the data directory ${directory} is in use by ${owner}; stop it, or choose another with --data-dir`,
  );
}
