import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { framedChunk, snapshotHead } from '../api/snapshot_file.ts';
import { concatBytes, utf8 } from '../lib/bytes.ts';
import { StoredSnapshot } from './snapshot_file.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgetcd-snapshot-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const info = { version: '3.5.21', cluster: 'cafe', revision: 7, index: 9, term: 2 };
const chunks = [new Uint8Array(0), utf8('one'), new Uint8Array(3_000_000).fill(7)];

function saved(parts: readonly Uint8Array[], hash?: Uint8Array): string {
  const path = join(directory, 'file');
  const body = concatBytes(parts);
  writeFileSync(path, concatBytes([body, hash ?? createHash('sha256').update(body).digest()]));
  return path;
}

describe('a stored snapshot', () => {
  it('gives back what was put in', () => {
    const snapshot = StoredSnapshot.open(saved([snapshotHead(info), ...chunks.map(framedChunk)]));
    expect(snapshot.info).toEqual(info);
    const found = [...snapshot.chunks()];
    expect(found.map((chunk, i) => Buffer.compare(chunk, chunks[i] ?? utf8('?')))).toEqual([
      0, 0, 0,
    ]);
    snapshot.close();
  });

  it('is refused when it is none, of another format, or not whole', () => {
    const head = snapshotHead(info);
    const other = utf8(`edgetcd snapshot 2\n${JSON.stringify(info)}\n`);
    expect(() => StoredSnapshot.open(saved([utf8('SQLite format 3')]))).toThrow(
      'not a snapshot of edgetcd',
    );
    expect(() => StoredSnapshot.open(saved([other]))).toThrow('format 2, this release knows 1');
    expect(() => StoredSnapshot.open(saved([utf8('edgetcd snapshot 1\n{"v\n')]))).toThrow(
      'its head is damaged',
    );
    expect(() => StoredSnapshot.open(saved([head], new Uint8Array(32)))).toThrow(
      /expected sha256 0{64}, got /,
    );
    expect(() => StoredSnapshot.open(join(directory, 'nothing'))).toThrow('ENOENT');
  });
});
