import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import {
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  ResponseHeaderSchema,
  type ResponseOp,
  ResponseOpSchema,
  type TxnRequest,
  type TxnResponse,
  TxnResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { must } from '../lib/assert.ts';
import { holdAll } from './compare.ts';
import type { Leases } from './lease.ts';
import type { Mvcc } from './mvcc.ts';
import { checkPut, evaluateDeleteRange, evaluatePut } from './put.ts';
import { evaluateRange } from './range.ts';

/** The branch taken, and those of the transactions nested in it, in the order of operations. */
interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: ReadonlyMap<RequestOp, Path>;
}

/**
 * Compares first, those of nested transactions too: they do not see what this transaction writes.
 * Then the checks, on the branches taken; only then the operations, in order, in one revision.
 */
export function evaluateTxn(
  mvcc: Mvcc,
  leases: Leases,
  request: TxnRequest,
  checkFirst = true,
): TxnResponse {
  const path = choosePath(mvcc, request);
  if (checkFirst) checkPath(mvcc, leases, path);
  return execute(mvcc, leases, path);
}

/** etcd's order, every put and then every range: it decides which error is told. */
function checkPath(mvcc: Mvcc, leases: Leases, path: Path): void {
  for (const put of putsOf(path)) checkPut(mvcc, leases, put);
  for (const range of rangesOf(path)) checkRange(mvcc, range);
}

/** No operation of either branch writes: it need not go through the log. */
export function isReadOnlyTxn({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].every(({ request }) => {
    if (request.case === 'requestTxn') return isReadOnlyTxn(request.value);
    return request.case === 'requestRange';
  });
}

/** A branch contains a put, at whatever depth: it needs space. */
export function hasPut({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].some(({ request }) => {
    if (request.case === 'requestTxn') return hasPut(request.value);
    return request.case === 'requestPut';
  });
}

function choosePath(mvcc: Mvcc, { compare, success, failure }: TxnRequest): Path {
  const succeeded = holdAll(mvcc, compare);
  const ops = succeeded ? success : failure;
  const nested = new Map<RequestOp, Path>();
  for (const op of ops) {
    if (op.request.case === 'requestTxn') nested.set(op, choosePath(mvcc, op.request.value));
  }
  return { succeeded, ops, nested };
}

function* opsOf(path: Path): Generator<RequestOp['request']> {
  for (const op of path.ops) {
    const nested = path.nested.get(op);
    if (nested === undefined) yield op.request;
    else yield* opsOf(nested);
  }
}

function* putsOf(path: Path): Generator<PutRequest> {
  for (const op of opsOf(path)) if (op.case === 'requestPut') yield op.value;
}

function* rangesOf(path: Path): Generator<RangeRequest> {
  for (const op of opsOf(path)) if (op.case === 'requestRange') yield op.value;
}

/** The revision that the transaction itself will make is in the future. */
function checkRange(mvcc: Mvcc, { revision }: RangeRequest): void {
  if (revision !== 0n) mvcc.checkReadable(Number(revision));
}

function execute(mvcc: Mvcc, leases: Leases, path: Path): TxnResponse {
  const responses = path.ops.map((op) => executeOp(mvcc, leases, path, op));
  return create(TxnResponseSchema, { succeeded: path.succeeded, responses });
}

/**
 * Answers inside a transaction have a header with nothing but the revision; etcd leaves that of a
 * nested one empty.
 */
function executeOp(mvcc: Mvcc, leases: Leases, path: Path, op: RequestOp): ResponseOp {
  const { request } = op;
  switch (request.case) {
    case 'requestRange': {
      const value = evaluateRange(mvcc, request.value);
      value.header = revisionHeader(mvcc);
      return create(ResponseOpSchema, { response: { case: 'responseRange', value } });
    }
    case 'requestPut': {
      const value = evaluatePut(mvcc, leases, request.value);
      value.header = revisionHeader(mvcc);
      return create(ResponseOpSchema, { response: { case: 'responsePut', value } });
    }
    case 'requestDeleteRange': {
      const value = evaluateDeleteRange(mvcc, leases, request.value);
      value.header = revisionHeader(mvcc);
      return create(ResponseOpSchema, { response: { case: 'responseDeleteRange', value } });
    }
    case 'requestTxn': {
      const value = execute(mvcc, leases, must(path.nested.get(op), 'no path of a nested txn'));
      value.header = create(ResponseHeaderSchema);
      return create(ResponseOpSchema, { response: { case: 'responseTxn', value } });
    }
    case undefined:
      throw EtcdError.of('keyNotFound');
  }
}

function revisionHeader(mvcc: Mvcc) {
  return create(ResponseHeaderSchema, { revision: BigInt(mvcc.currentRevision) });
}
