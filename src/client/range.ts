import type { RangeRequest, RequestOp } from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { Init } from './channel.ts';
import type { Bytes, KeyRange, KeySpace } from './key_space.ts';
import type { KeyValue } from './key_value.ts';
import type { CallOptions } from './options.ts';
import { Pending } from './pending.ts';
import { type RangeResult, rangeResult } from './result.ts';

type Request = { -readonly [Name in keyof RangeRequest]?: RangeRequest[Name] };

/** By what keys are sorted. */
export type SortTarget = 'Key' | 'Version' | 'Create' | 'Mod' | 'Value';
/** In which order: None is that of the store. */
export type SortOrder = 'None' | 'Ascend' | 'Descend';

/** What reads of one key and of many have in common. */
abstract class RangeBuilder<T> extends Pending<T> {
  protected readonly request: Request = {};
  protected readonly space: KeySpace;
  readonly #calls: Calls;
  #options: CallOptions = {};

  constructor(calls: Calls, space: KeySpace) {
    super();
    this.#calls = calls;
    this.space = space;
  }

  /**
   * Takes the answer of whichever member is asked, without asking the leader: faster, and perhaps
   * old.
   */
  serializable(serializable = true): this {
    this.request.serializable = serializable;
    return this;
  }

  /** Reads the store as it was at that revision. */
  revision(revision: number): this {
    this.request.revision = revision;
    return this;
  }

  /** For this call: a signal that ends it, a time that it may take. */
  options(options: CallOptions): this {
    this.#options = options;
    return this;
  }

  /** The same as an operation of a transaction. */
  op(): Init<RequestOp> {
    return { requestRange: this.request };
  }

  /** Makes the call, and gives everything that was answered. */
  async response(): Promise<RangeResult> {
    const response = await this.#calls.unary('/v3/kv/range', this.request, this.#options);
    return rangeResult(response, this.space);
  }
}

/** Reads one key. Awaited, it is the value as text, or null. */
export class SingleRangeBuilder extends RangeBuilder<string | null> {
  constructor(calls: Calls, space: KeySpace, key: Bytes) {
    super(calls, space);
    this.request.key = space.full(key);
  }

  /** The value as text; null: there is no such key. */
  override exec(): Promise<string | null> {
    return this.string();
  }

  /** The key and everything about it. */
  async kv(): Promise<KeyValue | null> {
    const { kvs } = await this.response();
    return kvs[0] ?? null;
  }

  /** The value as text. */
  async string(): Promise<string | null> {
    return (await this.kv())?.string() ?? null;
  }

  /** The value, parsed. The caller says what it is. @throws SyntaxError */
  async json<T = unknown>(): Promise<T | null> {
    return (await this.kv())?.json<T>() ?? null;
  }

  /** The value as a number, NaN when it is none. */
  async number(): Promise<number | null> {
    return (await this.kv())?.number() ?? null;
  }

  /** The value as bytes. */
  async buffer(): Promise<Uint8Array | null> {
    return (await this.kv())?.valueBytes ?? null;
  }

  /** Whether there is such a key. */
  async exists(): Promise<boolean> {
    this.request.countOnly = true;
    return (await this.response()).count > 0;
  }
}

/** Reads many keys: all of them unless something is said. Awaited, it is their values as text. */
export class MultiRangeBuilder extends RangeBuilder<Record<string, string>> {
  constructor(calls: Calls, space: KeySpace) {
    super(calls, space);
    this.all();
  }

  /** The values as text, by key. */
  override exec(): Promise<Record<string, string>> {
    return this.strings();
  }

  /** The keys that begin so. */
  prefix(prefix: Bytes): this {
    Object.assign(this.request, this.space.prefix(prefix));
    return this;
  }

  /** The keys from a first one up to another, which is not one of them. */
  inRange(range: KeyRange): this {
    Object.assign(this.request, this.space.range(range));
    return this;
  }

  /** Every key. */
  all(): this {
    Object.assign(this.request, this.space.all);
    return this;
  }

  /** So many at most. */
  limit(count: number): this {
    this.request.limit = count;
    return this;
  }

  /** By default keys come in the order of their bytes. */
  sort(target: SortTarget, order: SortOrder): this {
    this.request.sortTarget = SORT_TARGETS[target];
    this.request.sortOrder = SORT_ORDERS[order];
    return this;
  }

  /** Leaves out keys whose last change is older. */
  minModRevision(revision: number): this {
    this.request.minModRevision = revision;
    return this;
  }

  /** Leaves out keys whose last change is newer. */
  maxModRevision(revision: number): this {
    this.request.maxModRevision = revision;
    return this;
  }

  /** Leaves out keys that were created before. */
  minCreateRevision(revision: number): this {
    this.request.minCreateRevision = revision;
    return this;
  }

  /** Leaves out keys that were created after. */
  maxCreateRevision(revision: number): this {
    this.request.maxCreateRevision = revision;
    return this;
  }

  /** The keys and everything about them. */
  async kvs(): Promise<readonly KeyValue[]> {
    return (await this.response()).kvs;
  }

  /** The keys alone, as text. */
  async keys(): Promise<string[]> {
    this.request.keysOnly = true;
    return (await this.response()).kvs.map(({ key }) => key);
  }

  /** How many there are. */
  async count(): Promise<number> {
    this.request.countOnly = true;
    return (await this.response()).count;
  }

  /** The values as text, by key. */
  strings(): Promise<Record<string, string>> {
    return this.#byKey((kv) => kv.string());
  }

  /** The values as numbers, by key. */
  numbers(): Promise<Record<string, number>> {
    return this.#byKey((kv) => kv.number());
  }

  /** The values as bytes, by key. */
  buffers(): Promise<Record<string, Uint8Array>> {
    return this.#byKey((kv) => kv.valueBytes);
  }

  /** The values, parsed, by key. @throws SyntaxError */
  json<T = unknown>(): Promise<Record<string, T>> {
    return this.#byKey((kv) => kv.json<T>());
  }

  async #byKey<T>(pick: (kv: KeyValue) => T): Promise<Record<string, T>> {
    const pairs = (await this.response()).kvs.map((kv) => [kv.key, pick(kv)] as const);
    return Object.fromEntries(pairs);
  }
}

const SORT_TARGETS = {
  Key: 'KEY',
  Version: 'VERSION',
  Create: 'CREATE',
  Mod: 'MOD',
  Value: 'VALUE',
} as const;

const SORT_ORDERS = { None: 'NONE', Ascend: 'ASCEND', Descend: 'DESCEND' } as const;
