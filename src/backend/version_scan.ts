import { fromBinary } from '@bufbuild/protobuf';
import { KeyValueSchema } from '../api/gen/kv_pb.ts';
import type { BboltReader } from '../bbolt/reader.ts';
import { bytesOfMapKey, mapKey } from '../lib/bytes.ts';
import { crc32c } from '../lib/crc32c.ts';
import { comparePlaces, type Place, tombstone, type Version } from '../state/version.ts';
import { Bucket, readRevisionKey } from './buckets.ts';

/** The newest version of a key, as far as it must be remembered. */
export interface Newest {
  readonly key: Uint8Array;
  readonly deleted: boolean;
  readonly lease: bigint;
}

interface Remembered {
  readonly place: Place;
  readonly previous: Place | null;
  readonly deleted: boolean;
  readonly lease: bigint;
}

interface Found {
  readonly place: Place;
  readonly deleted: boolean;
  readonly value: Uint8Array;
}

/**
 * The versions of all keys in etcd's file, each with the place of the one before it. The file has
 * them in the order of revisions, and neither it nor the names of its keys need to fit into memory:
 * where there are more than so many, the file is read several times, for a part of the keys or of
 * the revisions each.
 */
export class VersionScan {
  readonly #file: BboltReader;
  readonly #keysMax: number;
  /** Of all entries. */
  readonly #count: number;
  readonly lastRevision: number;
  /** The part that was looked at last. */
  #known: { readonly part: number; readonly newest: ReadonlyMap<string, Remembered> } | null = null;

  /** @param keysMax how many keys are remembered at once. @throws BboltError */
  constructor(file: BboltReader, keysMax: number) {
    this.#file = file;
    this.#keysMax = keysMax;
    let [count, lastRevision] = [0, 1];
    for (const { place } of this.#entries(0, Number.POSITIVE_INFINITY)) {
      count++;
      lastRevision = Math.max(lastRevision, place.revision);
    }
    this.#count = count;
    this.lastRevision = lastRevision;
  }

  /** What became of each key. */
  *newest(): Generator<Newest> {
    for (let part = 0; part < this.#parts; part++) {
      for (const [name, { deleted, lease }] of this.#newestOf(part)) {
        yield { key: bytesOfMapKey(name), deleted, lease };
      }
    }
  }

  /** The newest version of each key. */
  *newestVersions(): Generator<Version> {
    for (let part = 0; part < this.#parts; part++) {
      const newest = this.#newestOf(part);
      for (const found of this.#entries(0, this.#count)) {
        const kv = fromBinary(KeyValueSchema, found.value);
        const known = newest.get(mapKey(kv.key));
        if (known === undefined || comparePlaces(known.place, found.place) !== 0) continue;
        yield versionOf(found, kv, known.previous);
      }
    }
  }

  /** Every version, in the order of revisions. */
  *all(): Generator<Version> {
    for (let from = 0; from < this.#count; from += this.#keysMax) {
      const to = Math.min(from + this.#keysMax, this.#count);
      const places = this.#placesBefore(from, to);
      for (const found of this.#entries(from, to)) {
        const kv = fromBinary(KeyValueSchema, found.value);
        const name = mapKey(kv.key);
        const previous = places.get(name) ?? null;
        places.set(name, found.place);
        yield versionOf(found, kv, previous);
      }
    }
  }

  get #parts(): number {
    return Math.ceil(this.#count / this.#keysMax);
  }

  /** Where the keys of these entries were before. */
  #placesBefore(from: number, to: number): Map<string, Place> {
    const places = new Map<string, Place>();
    if (from === 0) return places;
    const wanted = new Set<string>();
    for (const { value } of this.#entries(from, to)) {
      wanted.add(mapKey(fromBinary(KeyValueSchema, value).key));
    }
    for (const { place, value } of this.#entries(0, from)) {
      const name = mapKey(fromBinary(KeyValueSchema, value).key);
      if (wanted.has(name)) places.set(name, place);
    }
    return places;
  }

  #newestOf(part: number): ReadonlyMap<string, Remembered> {
    if (this.#known?.part === part) return this.#known.newest;
    this.#known = null;
    const newest = new Map<string, Remembered>();
    for (const { place, deleted, value } of this.#entries(0, this.#count)) {
      const { key, lease } = fromBinary(KeyValueSchema, value);
      if (crc32c(key) % this.#parts !== part) continue;
      const name = mapKey(key);
      const previous = newest.get(name)?.place ?? null;
      newest.set(name, { place, previous, deleted, lease });
    }
    this.#known = { part, newest };
    return newest;
  }

  *#entries(from: number, to: number): Generator<Found> {
    let at = 0;
    for (const [key, value] of this.#file.entries(Bucket.key)) {
      if (at >= to) return;
      if (at >= from) yield { ...readRevisionKey(key), value };
      at++;
    }
  }
}

function versionOf(
  { place, deleted }: Found,
  kv: ReturnType<typeof fromBinary<typeof KeyValueSchema>>,
  previous: Place | null,
): Version {
  const { revision: modRevision, sub } = place;
  if (deleted) return tombstone(kv.key, modRevision, sub, previous);
  const createRevision = Number(kv.createRevision);
  const counted = { createRevision, version: Number(kv.version), lease: kv.lease };
  const payloadBytes = kv.key.length + kv.value.length;
  const content = { key: kv.key, value: kv.value, deleted, previous, payloadBytes };
  return { ...content, ...counted, modRevision, sub };
}
