import type {
  AlarmMember,
  DowngradeRequestDowngradeAction,
  HashKVResponse,
  StatusResponse,
} from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { CallOptions } from './options.ts';

/** What its operators do with a cluster. */
export class Maintenance {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** How the member that answers is doing. */
  status(options?: CallOptions): Promise<StatusResponse> {
    return this.#calls.unary('/v3/maintenance/status', {}, options);
  }

  /** The alarms that are raised. */
  async alarms(options?: CallOptions): Promise<readonly AlarmMember[]> {
    return (await this.#calls.unary('/v3/maintenance/alarm', {}, options)).alarms;
  }

  /** Lowers an alarm. */
  async disarm(alarm: 'NOSPACE' | 'CORRUPT', options?: CallOptions): Promise<void> {
    const request = { action: 'DEACTIVATE', alarm } as const;
    await this.#calls.unary('/v3/maintenance/alarm', request, options);
  }

  /** Versions of keys below that revision are gone: they cannot be read or watched any more. */
  async compact(
    revision: number,
    { physical = false, ...options }: CallOptions & { readonly physical?: boolean } = {},
  ): Promise<void> {
    await this.#calls.unary('/v3/kv/compaction', { revision, physical }, options);
  }

  /** Gives back what the database does not use, where there is anything to give back. */
  async defragment(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/maintenance/defragment', {}, options);
  }

  /** A checksum over the keys as they were at that revision; 0: the newest. */
  hashKV(revision = 0, options?: CallOptions): Promise<HashKVResponse> {
    return this.#calls.unary('/v3/maintenance/hashkv', { revision }, options);
  }

  /** Hands the leadership to another member. */
  async moveLeader(targetID: bigint, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/maintenance/transfer-leadership', { targetID }, options);
  }

  /** @returns the cluster's version as of now */
  async downgrade(
    action: DowngradeRequestDowngradeAction,
    version: string,
    options?: CallOptions,
  ): Promise<string> {
    const request = { action, version };
    return (await this.#calls.unary('/v3/maintenance/downgrade', request, options)).version;
  }

  /** The whole state, in pieces. One that ends early has failed. @throws EtcdError */
  async *snapshot(options?: CallOptions): AsyncGenerator<Uint8Array, void, void> {
    for await (const { blob } of this.#calls.stream('/v3/maintenance/snapshot', {}, options)) {
      yield blob;
    }
  }
}
