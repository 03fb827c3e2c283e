import { textOf } from '../lib/bytes.ts';
import {
  BboltError,
  BUCKET_ELEMENT,
  BUCKET_HEADER_BYTES,
  DEPTH_MAX,
  ELEMENT_BYTES,
  fnv1a,
  MAGIC,
  Meta,
  PAGE_BYTES_MAX,
  PAGE_BYTES_MIN,
  PAGE_HEADER_BYTES,
  PageFlag,
  VERSION,
  viewOf,
} from './layout.ts';

/** A file that can be read anywhere. */
export interface FileSource {
  readonly bytes: number;
  /** So many bytes from there, or fewer at the end of the file. */
  read(offset: number, length: number): Uint8Array;
}

/** A page with what it overflows into. */
interface Page {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly count: number;
}

interface LeafElement {
  readonly isBucket: boolean;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Keys and values are views on pages that were read for them. */
export type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** Reads the buckets of a file of bbolt that nobody writes meanwhile. */
export class BboltReader {
  readonly #file: FileSource;
  readonly #pageBytes: number;
  readonly #pageCount: number;
  /** The first level, by name: each bucket's header, and its page where it is that small. */
  readonly #buckets = new Map<string, Uint8Array>();

  /** @throws BboltError */
  constructor(file: FileSource) {
    this.#file = file;
    const { pageBytes, root, end } = readMeta(file);
    this.#pageBytes = pageBytes;
    this.#pageCount = end;
    if (end * pageBytes > file.bytes) throw new BboltError('the file is cut short');
    for (const { isBucket, key, value } of this.#elements(root)) {
      if (isBucket) this.#buckets.set(textOf(key), value);
    }
  }

  get bucketNames(): string[] {
    return [...this.#buckets.keys()];
  }

  /** The keys of a bucket in order; none when there is no such bucket. @throws BboltError */
  *entries(bucket: string): Generator<Entry> {
    const header = this.#buckets.get(bucket);
    if (header === undefined) return;
    if (header.length < BUCKET_HEADER_BYTES) throw new BboltError('a bucket is cut short');
    const root = pageId(viewOf(header), 0);
    const elements =
      root === 0
        ? leafElements(pageOf(header.subarray(BUCKET_HEADER_BYTES)))
        : this.#elements(root);
    for (const { isBucket, key, value } of elements) if (!isBucket) yield [key, value];
  }

  *#elements(root: number, depth = 0): Generator<LeafElement> {
    if (depth > DEPTH_MAX) throw new BboltError('a tree has no end');
    const page = this.#page(root);
    if (page.flags & PageFlag.leaf) yield* leafElements(page);
    else if (page.flags & PageFlag.branch) {
      for (const child of branchChildren(page)) yield* this.#elements(child, depth + 1);
    } else throw new BboltError(`page ${root} is not of a tree`);
  }

  #page(id: number): Page {
    const offset = id * this.#pageBytes;
    if (id < 2 || id >= this.#pageCount) throw new BboltError(`there is no page ${id}`);
    const first = this.#file.read(offset, this.#pageBytes);
    const view = viewOf(first);
    if (pageId(view, 0) !== id) throw new BboltError(`page ${id} says that it is another`);
    const overflow = view.getUint32(12, true);
    if (overflow === 0) return pageOf(first);
    if (id + overflow >= this.#pageCount) throw new BboltError(`page ${id} is cut short`);
    return pageOf(this.#file.read(offset, (overflow + 1) * this.#pageBytes));
  }
}

interface MetaFields {
  readonly pageBytes: number;
  readonly root: number;
  readonly end: number;
  readonly transaction: bigint;
}

/** The newer of the two metas that are whole. Where the second is depends on the page size. */
function readMeta(file: FileSource): MetaFields {
  const first = metaAt(file, 0);
  const others: (MetaFields | null)[] = [];
  if (first !== null) others.push(metaAt(file, first.pageBytes));
  for (let at = PAGE_BYTES_MIN; first === null && at <= PAGE_BYTES_MAX; at *= 2) {
    others.push(metaAt(file, at));
  }
  const whole = [first, ...others].filter((meta) => meta !== null);
  const [newest] = whole.sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
  if (newest === undefined) throw new BboltError('not a file of bbolt, or a damaged one');
  return newest;
}

function metaAt(file: FileSource, offset: number): MetaFields | null {
  const page = file.read(offset, PAGE_HEADER_BYTES + Meta.bytes);
  if (page.length < PAGE_HEADER_BYTES + Meta.bytes) return null;
  const meta = page.subarray(PAGE_HEADER_BYTES);
  const view = viewOf(meta);
  if (view.getUint32(Meta.magic, true) !== MAGIC) return null;
  const version = view.getUint32(Meta.version, true);
  if (version !== VERSION) throw new BboltError(`format ${version} of bbolt is not known`);
  const sum = fnv1a(meta.subarray(0, Meta.checksum));
  if (view.getBigUint64(Meta.checksum, true) !== sum) return null;
  const pageBytes = view.getUint32(Meta.pageBytes, true);
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return null;
  return {
    pageBytes,
    root: pageId(view, Meta.root),
    end: pageId(view, Meta.end),
    transaction: view.getBigUint64(Meta.transaction, true),
  };
}

/** An id that no file has is as good as any other such id. */
function pageId(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

function pageOf(bytes: Uint8Array): Page {
  if (bytes.length < PAGE_HEADER_BYTES) throw new BboltError('a page is cut short');
  const view = viewOf(bytes);
  const count = view.getUint16(10, true);
  if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length) {
    throw new BboltError('a page has more elements than room');
  }
  return { bytes, flags: view.getUint16(8, true), count };
}

function* leafElements({ bytes, count }: Page): Generator<LeafElement> {
  const view = viewOf(bytes);
  for (let i = 0; i < count; i++) {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    const keyAt = at + view.getUint32(at + 4, true);
    const valueAt = keyAt + view.getUint32(at + 8, true);
    const end = valueAt + view.getUint32(at + 12, true);
    if (end > bytes.length) throw new BboltError('an element is outside of its page');
    const isBucket = (view.getUint32(at, true) & BUCKET_ELEMENT) !== 0;
    yield { isBucket, key: bytes.subarray(keyAt, valueAt), value: bytes.subarray(valueAt, end) };
  }
}

function* branchChildren({ bytes, count }: Page): Generator<number> {
  const view = viewOf(bytes);
  for (let i = 0; i < count; i++) {
    yield pageId(view, PAGE_HEADER_BYTES + i * ELEMENT_BYTES + 8);
  }
}
