import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { encodeCommand } from '../../api/command.ts';
import { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import type { KeyValue } from '../../api/gen/kv_pb.ts';
import {
  CompactionRequestSchema,
  type CompareSchema,
  DeleteRangeRequestSchema,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  PutRequestSchema,
  RangeRequestSchema,
  type RangeResponse,
  type RequestOp,
  RequestOpSchema,
  TxnRequestSchema,
} from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { textOf, utf8 } from '../../lib/bytes.ts';
import { type OpenSnapshot, StateMachine } from '../machine.ts';
import { MemoryStateStore } from '../memory_store.ts';
import type { ApplyResult } from '../result.ts';
import { SnapshotReceiver } from '../snapshot.ts';

type PutFields = Omit<MessageInitShape<typeof PutRequestSchema>, 'key' | 'value' | '$typeName'>;
type RangeFields = Omit<
  MessageInitShape<typeof RangeRequestSchema>,
  'key' | 'rangeEnd' | '$typeName'
>;
type TxnFields = MessageInitShape<typeof TxnRequestSchema>;
export type CompareFields = MessageInitShape<typeof CompareSchema>;

/** Requests in a test's words: keys and values are text. */
export const put = (key: string, value = '', fields: PutFields = {}) =>
  create(PutRequestSchema, { ...fields, key: utf8(key), value: utf8(value) });
export const range = (key: string, rangeEnd = '', fields: RangeFields = {}) =>
  create(RangeRequestSchema, { ...fields, key: utf8(key), rangeEnd: utf8(rangeEnd) });
export const deleteRange = (key: string, rangeEnd = '', prevKv = false) =>
  create(DeleteRangeRequestSchema, { key: utf8(key), rangeEnd: utf8(rangeEnd), prevKv });
export const txn = (fields: TxnFields) => create(TxnRequestSchema, fields);

/** Operations of a transaction. */
export const ops = {
  put: (...of: Parameters<typeof put>): RequestOp => op({ case: 'requestPut', value: put(...of) }),
  range: (...of: Parameters<typeof range>): RequestOp =>
    op({ case: 'requestRange', value: range(...of) }),
  delete: (...of: Parameters<typeof deleteRange>): RequestOp =>
    op({ case: 'requestDeleteRange', value: deleteRange(...of) }),
  txn: (fields: TxnFields): RequestOp => op({ case: 'requestTxn', value: txn(fields) }),
};

function op(request: RequestOp['request']): RequestOp {
  return create(RequestOpSchema, { request });
}

/** One member's machine, driven without a log. */
export class Single {
  store = new MemoryStateStore();
  machine = new StateMachine(this.store);
  #sequence = 0;

  /** Applies a command; the result as its proposer gets it. */
  apply(request: Command['request']): ApplyResult {
    return must(this.applyData(this.encode(request, 1, ++this.#sequence)), 'no result');
  }

  encode(request: Command['request'], epoch: number, sequence: number): Uint8Array {
    const origin = { memberId: 'm1', epoch: BigInt(epoch), sequence: BigInt(sequence) };
    return encodeCommand({ ...origin, request });
  }

  applyData(data: Uint8Array): ApplyResult | null {
    return this.machine.apply({ index: this.machine.appliedIndex + 1, term: 1, data });
  }

  /** What a client gets: the response, or the message of the error. */
  answer(request: Command['request']): unknown {
    const { response, error } = this.apply(request);
    return error ? error.message : response;
  }

  put(...of: Parameters<typeof put>): unknown {
    return this.answer({ case: 'put', value: put(...of) });
  }

  delete(...of: Parameters<typeof deleteRange>): unknown {
    return this.answer({ case: 'deleteRange', value: deleteRange(...of) });
  }

  txn(fields: TxnFields): unknown {
    return this.answer({ case: 'txn', value: txn(fields) });
  }

  compact(revision: number): unknown {
    const value = create(CompactionRequestSchema, { revision: BigInt(revision) });
    return this.answer({ case: 'compaction', value });
  }

  grant(ID: bigint, TTL = 60n): unknown {
    return this.answer({
      case: 'leaseGrant',
      value: create(LeaseGrantRequestSchema, { ID, TTL }),
    });
  }

  revoke(ID: bigint): unknown {
    return this.answer({ case: 'leaseRevoke', value: create(LeaseRevokeRequestSchema, { ID }) });
  }

  range(...of: Parameters<typeof range>): RangeResponse | string {
    try {
      return this.machine.range(range(...of));
    } catch (error) {
      if (error instanceof EtcdError) return error.message;
      throw error;
    }
  }

  /** `key=value` of what a range finds, or the message of its error. */
  found(...of: Parameters<typeof range>): readonly string[] | string {
    const response = this.range(...of);
    return typeof response === 'string' ? response : response.kvs.map(brief);
  }

  /** Memory is lost; what was flushed is there. */
  restart(): void {
    this.machine = new StateMachine(this.store);
  }

  /** The bytes of a whole snapshot. */
  snapshotChunks(snapshot: OpenSnapshot = this.machine.openSnapshot()): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) chunks.push(chunk);
    snapshot.close();
    return chunks;
  }
}

/** A machine rebuilt from chunks alone. */
export function installed(chunks: readonly Uint8Array[]): StateMachine {
  const store = new MemoryStateStore();
  const receiver = new SnapshotReceiver(store);
  for (const chunk of chunks) receiver.write(chunk);
  receiver.finish();
  store.stageInstall();
  return new StateMachine(store);
}

/** `key=value`. */
export function brief({ key, value }: KeyValue): string {
  return `${textOf(key)}=${textOf(value)}`;
}
