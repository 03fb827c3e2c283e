import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { must } from '../lib/assert.ts';
import { compareBytes, mapKey, utf8 } from '../lib/bytes.ts';
import { BboltError, fnv1a, Meta, PAGE_BYTES, PAGE_HEADER_BYTES, viewOf } from './layout.ts';
import { BboltReader, type FileSource } from './reader.ts';
import { BboltWriter } from './writer.ts';

type Buckets = Readonly<Record<string, readonly (readonly [Uint8Array, Uint8Array])[]>>;

/** A file in memory. */
class MemoryFile {
  bytes = new Uint8Array(0);

  write(bytes: Uint8Array, offset: number): void {
    if (offset + bytes.length > this.bytes.length) {
      const longer = new Uint8Array(offset + bytes.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(bytes, offset);
  }

  get source(): FileSource {
    const { bytes } = this;
    return {
      bytes: bytes.length,
      read: (offset, length) => bytes.subarray(offset, offset + length),
    };
  }
}

function written(buckets: Buckets): MemoryFile {
  const file = new MemoryFile();
  const writer = new BboltWriter(file);
  for (const [name, entries] of Object.entries(buckets)) {
    const bucket = writer.bucket(name);
    for (const [key, value] of entries) bucket.add(key, value);
  }
  expect(writer.finish()).toBe(file.bytes.length);
  return file;
}

function read(source: FileSource, name: string): string[] {
  const entries = new BboltReader(source).entries(name);
  return [...entries].map(([key, value]) => `${mapKey(key)}=${mapKey(value)}`);
}

function numbered(count: number, valueBytes: number) {
  return Array.from(
    { length: count },
    (_, i) => [utf8(String(i).padStart(8, '0')), new Uint8Array(valueBytes).fill(i)] as const,
  );
}

/** Every page that can be reached from the metas, each counted once, and what the file has. */
function pagesOf(file: MemoryFile): { reached: number; all: number } {
  const view = viewOf(file.bytes);
  const reached = new Set<number>([0, 1]);
  const visit = (id: number): void => {
    const at = id * PAGE_BYTES;
    expect(Number(view.getBigUint64(at, true))).toBe(id);
    for (let i = 0; i <= view.getUint32(at + 12, true); i++) {
      expect(reached.has(id + i)).toBe(false);
      reached.add(id + i);
    }
    const [flags, count] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    for (let i = 0; i < count; i++) {
      const element = at + PAGE_HEADER_BYTES + 16 * i;
      if (flags === 1) visit(Number(view.getBigUint64(element + 8, true)));
      else if (flags === 2 && view.getUint32(element, true) === 1) {
        const value =
          element + view.getUint32(element + 4, true) + view.getUint32(element + 8, true);
        visit(Number(view.getBigUint64(value, true)));
      }
    }
  };
  const meta = PAGE_BYTES + PAGE_HEADER_BYTES;
  visit(Number(view.getBigUint64(meta + Meta.root, true)));
  visit(Number(view.getBigUint64(meta + Meta.freelist, true)));
  return { reached: reached.size, all: Number(view.getBigUint64(meta + Meta.end, true)) };
}

describe('a file of bbolt', () => {
  it('gives back what was written, whatever it is', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
    const value = fc.oneof(
      { weight: 9, arbitrary: fc.uint8Array({ maxLength: 200 }) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 3_000, maxLength: 20_000 }) },
    );
    const entries = fc
      .uniqueArray(fc.tuple(bytes, value), { selector: ([key]) => mapKey(key), maxLength: 120 })
      .map((list) => list.sort(([a], [b]) => compareBytes(a, b)));
    fc.assert(
      fc.property(entries, entries, (one, two) => {
        const file = written({ two, one, none: [] });
        const expected = (list: typeof one) => list.map(([k, v]) => `${mapKey(k)}=${mapKey(v)}`);
        expect(read(file.source, 'one')).toEqual(expected(one));
        expect(read(file.source, 'two')).toEqual(expected(two));
        expect(read(file.source, 'none')).toEqual([]);
        expect(read(file.source, 'other')).toEqual([]);
        expect(pagesOf(file).reached).toBe(pagesOf(file).all);
      }),
      { numRuns: 60 },
    );
  });

  it('has as many levels as it takes, and uses every page once', () => {
    // Some 200 leaves of the one, 25,000 keys of the other: three levels.
    const file = written({ large: numbered(1_000, 900), small: numbered(25_000, 20) });
    expect(read(file.source, 'large')).toHaveLength(1_000);
    expect(read(file.source, 'small')).toHaveLength(25_000);
    const { reached, all } = pagesOf(file);
    expect(reached).toBe(all);
  });

  it('keeps values that fill many pages', () => {
    const value = new Uint8Array(1_572_864).fill(65);
    const file = written({
      key: [
        [utf8('a'), value],
        [utf8('b'), utf8('c')],
      ],
    });
    const [a, b] = [...new BboltReader(file.source).entries('key')];
    expect(compareBytes(must(a, 'the first')[1], value)).toBe(0);
    expect(must(b, 'the second')[1]).toEqual(utf8('c'));
  });

  it('wants keys in order', () => {
    const bucket = new BboltWriter(new MemoryFile()).bucket('key');
    bucket.add(utf8('b'), utf8('1'));
    expect(() => bucket.add(utf8('b'), utf8('2'))).toThrow('keys rise');
    expect(() => bucket.add(utf8('a'), utf8('2'))).toThrow('keys rise');
  });
});

describe('a damaged file of bbolt', () => {
  const whole = written({ key: numbered(500, 50) });

  function damaged(change: (bytes: Uint8Array) => void): FileSource {
    const file = new MemoryFile();
    file.bytes = whole.bytes.slice();
    change(file.bytes);
    return file.source;
  }

  it('is told by its metas, of which one is enough', () => {
    const flip = (bytes: Uint8Array, page: number): void => {
      const at = page * PAGE_BYTES + PAGE_HEADER_BYTES + Meta.root;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    };
    expect(
      read(
        damaged((bytes) => flip(bytes, 0)),
        'key',
      ),
    ).toHaveLength(500);
    expect(
      read(
        damaged((bytes) => flip(bytes, 1)),
        'key',
      ),
    ).toHaveLength(500);
    const both = damaged((bytes) => {
      flip(bytes, 0);
      flip(bytes, 1);
    });
    expect(() => new BboltReader(both)).toThrow('not a file of bbolt');
    const text = { bytes: 9, read: () => utf8('no bbolt!') };
    expect(() => new BboltReader(text)).toThrow(BboltError);
  });

  it('of another format is refused', () => {
    const other = damaged((bytes) => {
      viewOf(bytes).setUint32(PAGE_HEADER_BYTES + Meta.version, 3, true);
    });
    expect(() => new BboltReader(other)).toThrow('format 3');
  });

  it('that is cut short is refused', () => {
    const { bytes } = whole;
    const short = { bytes: bytes.length - 1, read: whole.source.read };
    expect(() => new BboltReader(short)).toThrow('cut short');
  });

  it('never leads anywhere else than to an error', () => {
    const place = fc.integer({ min: 2 * PAGE_BYTES, max: whole.bytes.length - 1 });
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const source = damaged((bytes) => {
          bytes[at] = (bytes[at] ?? 0) ^ bits;
        });
        try {
          expect(read(source, 'key').length).toBeLessThanOrEqual(70_000);
        } catch (error) {
          expect(error).toBeInstanceOf(BboltError);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('the checksum of a meta', () => {
  it('is FNV-1a', () => {
    expect(fnv1a(utf8(''))).toBe(0xcbf29ce484222325n);
    expect(fnv1a(utf8('a'))).toBe(0xaf63dc4c8601ec8cn);
    expect(fnv1a(utf8('foobar'))).toBe(0x85944171f73967e8n);
  });
});
