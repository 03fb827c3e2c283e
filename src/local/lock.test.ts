import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../lib/assert.ts';
import { DirectoryLock } from './lock.ts';
import { findProcess, isAlive, killNow, type ProcessId } from './process.ts';

describe('DirectoryLock', () => {
  let directory = '';
  let children: ChildProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'edgetcd-lock-'));
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
    rmSync(directory, { recursive: true, force: true });
  });

  const path = () => join(directory, 'lock');
  const self = (): ProcessId => must(findProcess(process.pid), 'we run');
  const sleeper = async (): Promise<ProcessId> => {
    const child = spawn('sleep', ['60']);
    children.push(child);
    await once(child, 'spawn');
    return must(findProcess(must(child.pid, 'spawned')), 'the child runs');
  };
  const writeLock = (supervisor: ProcessId, members: Record<string, ProcessId> = {}) =>
    writeFileSync(path(), JSON.stringify({ supervisor, members }));

  test('is held against others until it is released', () => {
    const lock = DirectoryLock.acquire(directory);
    expect(lock.leftovers).toEqual([]);
    expect(() => DirectoryLock.acquire(directory)).toThrow(`in use by process ${process.pid}`);
    lock.release();
    DirectoryLock.acquire(directory).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a member recorded after the release does not bring the lock back', () => {
    const lock = DirectoryLock.acquire(directory);
    lock.release();
    lock.setMember('m1', process.pid);
    expect(existsSync(path())).toBe(false);
  });

  test('of a dead process is taken over, with the members that still run', async () => {
    const [supervisor, alive, dead] = [await sleeper(), await sleeper(), await sleeper()];
    writeLock(supervisor, { m1: alive, m2: dead });
    expect(() => DirectoryLock.acquire(directory)).toThrow(`in use by process ${supervisor.pid}`);
    expect(await killNow(supervisor, 2_000)).toBe(true);
    expect(await killNow(dead, 2_000)).toBe(true);
    expect(DirectoryLock.acquire(directory).leftovers).toEqual([alive]);
    expect(() => DirectoryLock.acquire(directory)).toThrow(`in use by process ${process.pid}`);
  });

  test('a pid that another program got since then holds nothing', () => {
    const reused = { pid: process.pid, started: 'long ago' };
    writeLock(reused, { m1: reused });
    expect(DirectoryLock.acquire(directory).leftovers).toEqual([]);
  });

  test('members are on record for a successor', async () => {
    const member = await sleeper();
    const lock = DirectoryLock.acquire(directory);
    lock.setMember('m1', member.pid);
    lock.setMember('m2', process.pid);
    lock.setMember('m2', null);
    // What a kill -9 of the supervisor would leave, seen from a later process.
    const content = must(readLock(path()), 'the lock is there');
    expect(content).toEqual({ supervisor: self(), members: { m1: member } });
  });

  test('a half-written lock is respected while it is new', () => {
    writeFileSync(path(), '{"superv');
    expect(() => DirectoryLock.acquire(directory)).toThrow('another process that is starting');
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(path(), longAgo, longAgo);
    expect(DirectoryLock.acquire(directory).leftovers).toEqual([]);
  });

  test('isAlive does not take a zombie for a process', async () => {
    const id = await sleeper();
    process.kill(id.pid, 'SIGKILL');
    expect(await killNow(id, 2_000)).toBe(true);
    expect(isAlive(id)).toBe(false);
  });
});

function readLock(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
