/**
 * The file format of bbolt, version 2: what etcd keeps its data in, and what its snapshots are.
 *
 * A file is pages of one size. Pages 0 and 1 are metas, which name the root of the tree of buckets;
 * of two that are whole the one with the higher transaction counts. A bucket is a tree: branch
 * pages lead to leaf pages, which hold keys and values in order. What does not fit in a page goes
 * on in the pages behind it (its overflow). All numbers are little-endian.
 */
export const PAGE_BYTES = 4_096;
/** What a file may say its page size is. */
export const PAGE_BYTES_MIN = 512;
export const PAGE_BYTES_MAX = 65_536;

/** id 8, flags 2, count 2, overflow 4. */
export const PAGE_HEADER_BYTES = 16;
/** Branch: pos 4, ksize 4, page id 8. Leaf: flags 4, pos 4, ksize 4, vsize 4. */
export const ELEMENT_BYTES = 16;
/** Root page id 8, sequence 8. A root of 0 means that the bucket's one page follows. */
export const BUCKET_HEADER_BYTES = 16;

export const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** Of a leaf's element: its value is a bucket. */
export const BUCKET_ELEMENT = 0x01;

export const MAGIC = 0xed0cdaed;
export const VERSION = 2;

/** Offsets in a meta, behind its page's header. */
export const Meta = {
  magic: 0,
  version: 4,
  pageBytes: 8,
  root: 16,
  freelist: 32,
  /** The page behind the last one. */
  end: 40,
  transaction: 48,
  /** FNV-1a over everything before it. */
  checksum: 56,
  bytes: 64,
} as const;

/** An element's number of elements is two bytes; the highest has a meaning of its own elsewhere. */
export const ELEMENTS_MAX = 0xfffe;

/** No tree of a file that fits on a disk is higher: pages that lead to each other end somewhere. */
export const DEPTH_MAX = 32;

/** The file is not one of bbolt's, or is damaged. */
export class BboltError extends Error {
  override readonly name = 'BboltError';
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** FNV-1a of 64 bits, for the few bytes of a meta. */
export function fnv1a(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
