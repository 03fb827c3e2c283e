import { assert } from '../lib/assert.ts';
import { compareBytes, utf8 } from '../lib/bytes.ts';
import {
  BUCKET_HEADER_BYTES,
  fnv1a,
  MAGIC,
  Meta,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  VERSION,
  viewOf,
} from './layout.ts';
import { emptyPages, TreeWriter } from './tree_writer.ts';

/** A file that is written from its beginning, and whose first pages are written last. */
export interface FileSink {
  write(bytes: Uint8Array, offset: number): void;
}

/** The first pages are the metas. */
const FIRST_PAGE = 2;
/** Any will do; that of page 1 counts, being higher. */
const TRANSACTION = 1;

/**
 * Writes a file of bbolt: buckets of the first level, each from keys in order. Several may be
 * written at the same time.
 */
export class BboltWriter {
  readonly #file: FileSink;
  readonly #buckets = new Map<string, TreeWriter>();
  #nextId = FIRST_PAGE;

  constructor(file: FileSink) {
    this.#file = file;
  }

  /** The tree that is a bucket; it is there, if empty, when nothing is added. */
  bucket(name: string): Pick<TreeWriter, 'add'> {
    assert(!this.#buckets.has(name), `bucket ${name} is begun once`);
    const tree = this.#tree();
    this.#buckets.set(name, tree);
    return tree;
  }

  /** Writes what is left. @returns the size of the file in bytes */
  finish(): number {
    const root = this.#tree();
    const buckets = [...this.#buckets].map(([name, tree]) => ({ name: utf8(name), tree }));
    for (const { name, tree } of buckets.sort((a, b) => compareBytes(a.name, b.name))) {
      root.addBucket(name, bucketHeader(tree.finish()));
    }
    const rootId = root.finish();
    const freelist = this.#nextId;
    // Every page is used: the list is empty.
    this.#write(emptyPages(freelist, PageFlag.freelist, 0, PAGE_HEADER_BYTES));
    for (const id of [0, 1]) {
      const meta = metaPage(id, { root: rootId, freelist, end: this.#nextId });
      this.#file.write(meta, id * PAGE_BYTES);
    }
    return this.#nextId * PAGE_BYTES;
  }

  #tree(): TreeWriter {
    const writer = this;
    return new TreeWriter({
      write: (pages) => this.#write(pages),
      get nextId() {
        return writer.#nextId;
      },
    });
  }

  #write(pages: Uint8Array): void {
    this.#file.write(pages, this.#nextId * PAGE_BYTES);
    this.#nextId += pages.length / PAGE_BYTES;
  }
}

function bucketHeader(root: number): Uint8Array {
  const header = new Uint8Array(BUCKET_HEADER_BYTES);
  viewOf(header).setBigUint64(0, BigInt(root), true);
  return header;
}

function metaPage(
  id: number,
  pages: { readonly root: number; readonly freelist: number; readonly end: number },
): Uint8Array {
  const page = emptyPages(id, PageFlag.meta, 0, PAGE_BYTES);
  const meta = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + Meta.bytes);
  const view = viewOf(meta);
  view.setUint32(Meta.magic, MAGIC, true);
  view.setUint32(Meta.version, VERSION, true);
  view.setUint32(Meta.pageBytes, PAGE_BYTES, true);
  view.setBigUint64(Meta.root, BigInt(pages.root), true);
  view.setBigUint64(Meta.freelist, BigInt(pages.freelist), true);
  view.setBigUint64(Meta.end, BigInt(pages.end), true);
  view.setBigUint64(Meta.transaction, BigInt(TRANSACTION + id), true);
  view.setBigUint64(Meta.checksum, fnv1a(meta.subarray(0, Meta.checksum)), true);
  return page;
}
