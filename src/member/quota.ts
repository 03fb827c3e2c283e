import { EtcdError } from '../api/error.ts';
import type { Command, V2Change } from '../api/gen/command_pb.ts';
import type { PutRequest, TxnRequest } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';

/** What etcd takes a key to cost beside its bytes, and a lease. */
const KEY_OVERHEAD_BYTES = 256;
const LEASE_BYTES = 64;

/** The limit on the state's size, as configured. */
export interface QuotaPlan {
  readonly bytes: number;
  /** What the operator should know about it at the start; null: nothing. */
  readonly notice: string | null;
}

/** @param configured ETCD_QUOTA_BACKEND_BYTES; 0 is the default, and less is etcd's "off" */
export function quotaPlan(configured: number, defaultBytes: number): QuotaPlan {
  const most = limits.stateBytesMax;
  const bytes = configured === 0 ? defaultBytes : configured;
  if (bytes < 0) {
    const notice = `no quota is set: the platform's own limit holds, at ${most} bytes of data`;
    return { bytes: most, notice };
  }
  if (bytes > most) {
    const notice = `ETCD_QUOTA_BACKEND_BYTES=${bytes} is more than the platform allows a database: ${most} is used`;
    return { bytes: most, notice };
  }
  if (2 * bytes <= most) return { bytes, notice: null };
  const notice = `a member that receives a snapshot needs its space twice: with a quota of ${bytes} bytes that may be more than the platform allows`;
  return { bytes, notice };
}

/** The space that a command may need, by etcd's rules; 0: none, it is never refused. */
export function costBytes(request: Command['request']): number {
  switch (request.case) {
    case 'put':
      return costOfPut(request.value);
    case 'txn':
      return costOfTxn(request.value);
    case 'leaseGrant':
      return LEASE_BYTES;
    case 'v2Change':
      return costOfChange(request.value);
    default:
      return 0;
  }
}

function costOfPut({ key, value }: PutRequest): number {
  return KEY_OVERHEAD_BYTES + key.length + value.length;
}

/** A deletion, or a change without a value, is never refused: it may be what makes room. */
function costOfChange({ path, value }: V2Change): number {
  return value === '' ? 0 : KEY_OVERHEAD_BYTES + path.length + value.length;
}

/** Either branch may be taken. */
function costOfTxn({ success, failure }: TxnRequest): number {
  return Math.max(costOfAll(success), costOfAll(failure));
}

function costOfAll(ops: TxnRequest['success']): number {
  let cost = 0;
  for (const { request } of ops) {
    if (request.case === 'requestPut') cost += costOfPut(request.value);
    else if (request.case === 'requestTxn') cost += costOfTxn(request.value);
  }
  return cost;
}

export interface QuotaHost {
  readonly quotaBytes: number;
  stateBytes(): number;
  /** This member's alarm is raised already. */
  isRaised(): boolean;
  /** Raises it for the whole cluster; resolves when it is. */
  raise(): Promise<void>;
}

/**
 * Keeps a database from growing beyond its limit. Each member looks at its own before it proposes
 * what needs space; the first one that has none refuses, and raises an alarm in the log, by which
 * all members refuse alike from there on.
 */
export class Quota {
  readonly #host: QuotaHost;
  #raising: Promise<void> | null = null;

  constructor(host: QuotaHost) {
    this.#host = host;
  }

  /** Whether there is room for the command. */
  admits(request: Command['request']): boolean {
    const cost = costBytes(request);
    return cost === 0 || this.#host.stateBytes() + cost < this.#host.quotaBytes;
  }

  /** Raises the alarm, and then refuses. @throws EtcdError always */
  async refuse(): Promise<never> {
    if (!this.#host.isRaised()) {
      // Whether it could be replicated or not: there is no room here.
      this.#raising ??= this.#host
        .raise()
        .catch(() => undefined)
        .finally(() => {
          this.#raising = null;
        });
      await this.#raising;
    }
    throw EtcdError.of('noSpace');
  }
}
