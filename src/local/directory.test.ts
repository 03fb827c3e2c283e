import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClusterRecord, checkRecord, DataDirectory } from './directory.ts';

const record: ClusterRecord = { version: 1, name: 'a', size: 3, ports: [2379, 22379, 32379] };

describe('DataDirectory', () => {
  let parent = '';
  let directory = new DataDirectory('');

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'edgetcd-directory-'));
    directory = new DataDirectory(join(parent, 'some', 'where'));
    directory.create();
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const modeOf = (path: string) => statSync(path).mode & 0o777;

  test('is the owner’s alone', () => {
    expect(modeOf(directory.path)).toBe(0o700);
  });

  test('cannot be created where a file is', () => {
    const file = join(parent, 'file');
    writeFileSync(file, '');
    expect(() => new DataDirectory(join(file, 'x')).create()).toThrow('cannot create');
  });

  test('remembers the first start', () => {
    expect(directory.readRecord()).toBeNull();
    directory.writeRecord(record);
    expect(directory.readRecord()).toEqual(record);
  });

  test.each([
    '',
    '{',
    '{"version":2,"name":"a","size":3,"ports":[1,2,3]}',
    '{"version":1,"name":"a","size":3,"ports":[1]}',
  ])('a record %j is not guessed at', (text) => {
    writeFileSync(join(directory.path, 'cluster.json'), text);
    expect(() => directory.readRecord()).toThrow('is damaged or was written by another version');
  });

  test('draws the secret once and keeps it from others', () => {
    const secret = directory.peerSecret();
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(directory.peerSecret()).toBe(secret);
    expect(modeOf(join(directory.path, 'peer.secret'))).toBe(0o600);
  });

  test('a pid file is the bare number', () => {
    directory.writePid('m1', 12);
    directory.writePid('m1', 345);
    expect(readFileSync(join(directory.path, 'm1.pid'), 'utf8')).toBe('345\n');
    directory.removePid('m1');
    directory.removePid('m1');
    expect(() => statSync(join(directory.path, 'm1.pid'))).toThrow();
  });
});

test('a start with another size or name is refused', () => {
  checkRecord(record, { name: 'a', size: 3 }, 'dir');
  expect(() => checkRecord(record, { name: 'a', size: 5 }, 'dir')).toThrow('size 3, not 5');
  expect(() => checkRecord(record, { name: 'b', size: 3 }, 'dir')).toThrow('name a, not b');
});
