import type { Calls } from './calls.ts';
import { DeleteBuilder } from './delete.ts';
import { Election } from './election.ts';
import type { Bytes, KeySpace, Value } from './key_space.ts';
import { Lease } from './lease.ts';
import { LockBuilder } from './lock.ts';
import { PutBuilder } from './put.ts';
import { MultiRangeBuilder, SingleRangeBuilder } from './range.ts';
import { type CompareColumn, type CompareOperator, Txn } from './txn.ts';
import { WatchBuilder } from './watch.ts';

/** Seconds that a candidate leads on after it has vanished. */
const ELECTION_TTL_SECONDS = 30;

/** The keys that begin with a prefix, under the names that are left without it. */
export class Namespace {
  readonly #calls: Calls;
  readonly #space: KeySpace;

  constructor(calls: Calls, space: KeySpace) {
    this.#calls = calls;
    this.#space = space;
  }

  /** Reads one key: `await etcd.get('a').json()`. */
  get(key: Bytes): SingleRangeBuilder {
    return new SingleRangeBuilder(this.#calls, this.#space, key);
  }

  /** Reads many keys: `await etcd.getAll().prefix('a/').strings()`. */
  getAll(): MultiRangeBuilder {
    return new MultiRangeBuilder(this.#calls, this.#space);
  }

  /** Writes one key: `await etcd.put('a').value('1')`. */
  put(key: Bytes): PutBuilder {
    return new PutBuilder(this.#calls, this.#space, key);
  }

  /** Deletes keys: `await etcd.delete().prefix('a/')`. */
  delete(): DeleteBuilder {
    return new DeleteBuilder(this.#calls, this.#space);
  }

  /** A transaction: `etcd.txn().if('a', 'Version', '==', 0).then(etcd.put('a')).commit()`. */
  txn(): Txn {
    return new Txn(this.#calls, this.#space);
  }

  /** A transaction that begins with a comparison. */
  if(key: Bytes, column: CompareColumn, operator: CompareOperator, value: Value | bigint): Txn {
    return this.txn().if(key, column, operator, value);
  }

  /** Sees changes as they are made: `for await (const event of etcd.watch().prefix('a/'))`. */
  watch(): WatchBuilder {
    return new WatchBuilder(this.#calls, this.#space);
  }

  /** A lease that keeps itself alive. @param ttlSeconds how long it outlives this client */
  lease(ttlSeconds: number): Lease {
    return new Lease(this.#calls, this.#space, ttlSeconds);
  }

  /** A lock: `await using lock = await etcd.lock('name').acquire()`. */
  lock(name: string): LockBuilder {
    return new LockBuilder(this.#calls, this.#space, name);
  }

  /** An election. @param ttlSeconds how long a leader that has vanished leads on */
  election(name: string, ttlSeconds: number = ELECTION_TTL_SECONDS): Election {
    return new Election(this.#calls, this.#space, name, ttlSeconds);
  }

  /** The keys in here that begin so. */
  namespace(prefix: Bytes): Namespace {
    return new Namespace(this.#calls, this.#space.within(prefix));
  }
}
