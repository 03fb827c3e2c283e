import { describe, expect, it } from 'vitest';
import { BboltReader } from '../bbolt/reader.ts';
import { BboltWriter } from '../bbolt/writer.ts';
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts';
import { encodeUser, roleKey, userKey } from '../state/auth/records.ts';
import { StateMachine } from '../state/machine.ts';
import { MemoryStateStore } from '../state/memory_store.ts';
import { becomeNewCluster } from '../state/restore.ts';
import { SnapshotReceiver } from '../state/snapshot.ts';
import { Single } from '../state/testing/single.ts';
import { Bucket, readRevisionKey, revisionKey } from './buckets.ts';
import { BackendExport } from './exporter.ts';
import { BackendImport } from './importer.ts';

/** A file in memory. */
function memoryFile() {
  const pages: { at: number; bytes: Uint8Array }[] = [];
  const write = (bytes: Uint8Array, at: number): void => {
    pages.push({ at, bytes: bytes.slice() });
  };
  const source = (size: number) => {
    const whole = new Uint8Array(size);
    for (const { at, bytes } of pages) whole.set(bytes, at);
    const read = (at: number, length: number): Uint8Array => whole.subarray(at, at + length);
    return { bytes: size, read };
  };
  return { write, source };
}

function exported(chunks: readonly Uint8Array[]) {
  const file = memoryFile();
  const target = new BackendExport(file);
  for (const chunk of chunks) target.write(chunk);
  return file.source(target.finish());
}

/** A member that begins with what is in the file, as `npm run restore` makes it. */
function restored(source: ReturnType<typeof exported>, keysMax?: number): StateMachine {
  const store = new MemoryStateStore();
  const receiver = new SnapshotReceiver(store);
  for (const chunk of new BackendImport(source, keysMax).chunks()) receiver.write(chunk);
  receiver.finish();
  store.stageInstall();
  becomeNewCluster(store);
  return new StateMachine(store);
}

function busy(): Single {
  const member = new Single();
  member.grant(7n);
  for (let i = 0; i < 300; i++) member.put(`k${i % 50}`, `${i}`, { lease: i % 2 ? 7n : 0n });
  member.delete('k1', 'k2');
  member.put('big', 'x'.repeat(300_000));
  return member;
}

describe("a state in etcd's format and back", () => {
  // All keys at once, and in as many parts as there could be.
  it.each([undefined, 1_000, 301, 100, 7])('is the same, with %s keys in memory', (keysMax) => {
    const member = busy();
    const machine = restored(exported(member.snapshotChunks()), keysMax);
    expect(machine.revision).toBe(member.machine.revision);
    for (const revision of [0, 2, 100, 301, 302]) {
      expect(machine.hashKv(revision)).toEqual(member.machine.hashKv(revision));
    }
    expect(machine.leaseTimeToLive(7n, true)).toEqual(member.machine.leaseTimeToLive(7n, true));
    const budget = { revisionsMax: 9_999, bytesMax: 99_999_999 };
    expect(machine.eventsFrom(2, true, budget)).toEqual(member.machine.eventsFrom(2, true, budget));
  });

  it('keeps what compaction has left', () => {
    const member = busy();
    member.compact(200);
    member.machine.flush();
    const machine = restored(exported(member.snapshotChunks()));
    expect(machine.compactRevision).toBe(200);
    for (const revision of [0, 200, 250]) {
      expect(machine.hashKv(revision).hash).toBe(member.machine.hashKv(revision).hash);
    }
    expect(() => machine.hashKv(199)).toThrow('compacted');
  });

  it('of nothing is a file too', () => {
    const machine = restored(exported(new Single().snapshotChunks()));
    expect(machine.revision).toBe(1);
    expect(machine.compactRevision).toBe(-1);
  });
});

describe("etcd's backend", () => {
  it('has the buckets that etcd looks for', () => {
    const { bucketNames } = new BboltReader(exported(busy().snapshotChunks()));
    expect(bucketNames).toEqual(Object.values(Bucket).sort());
  });

  it('numbers versions as etcd does', () => {
    const hex = '000000000000012c5f0000000000000002';
    expect(toHex(revisionKey({ revision: 300, sub: 2 }))).toBe(hex);
    expect(toHex(revisionKey({ revision: 300, sub: 2 }, true))).toBe(`${hex}74`);
    expect(readRevisionKey(revisionKey({ revision: 300, sub: 2 }, true))).toEqual({
      place: { revision: 300, sub: 2 },
      deleted: true,
    });
    expect(() => readRevisionKey(utf8('short'))).toThrow('cut short');
  });

  it('takes users and their roles along', () => {
    const user = {
      name: 'alice',
      passwordHash: '$2a$10$etcd',
      noPassword: false,
      roles: ['readers'],
      passwordRevision: 4,
    };
    const file = memoryFile();
    const writer = new BboltWriter(file);
    writer.bucket(Bucket.key);
    const users = writer.bucket(Bucket.authUsers);
    // authpb.User: name, password, roles, and options that say nothing.
    const text = (tag: number, value: string) =>
      concatBytes([Uint8Array.of(tag, value.length), utf8(value)]);
    const fields = [text(10, user.name), text(18, user.passwordHash), text(26, 'readers')];
    users.add(utf8('alice'), concatBytes(fields));
    const auth = writer.bucket(Bucket.auth);
    auth.add(utf8('authEnabled'), Uint8Array.of(1));
    auth.add(utf8('authRevision'), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 4));
    const source = file.source(writer.finish());
    const rows = new Map<string, Uint8Array>();
    const receiver = new SnapshotReceiver({
      stagePut: (table, list) => {
        if (table !== 'auth') return;
        for (const { key, value } of list) rows.set(toHex(key), value);
      },
    });
    for (const chunk of new BackendImport(source).chunks()) receiver.write(chunk);
    expect(rows.get(toHex(userKey('alice')))).toEqual(encodeUser(user));
    expect(rows.has(toHex(roleKey('readers')))).toBe(false);
  });
});
