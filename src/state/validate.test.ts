import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { LeaseGrantRequestSchema, RequestOpSchema } from '../api/gen/rpc_pb.ts';
import { utf8 } from '../lib/bytes.ts';
import { deleteRange, ops, put, range, txn } from './testing/single.ts';
import {
  validateDeleteRange,
  validateLeaseGrant,
  validatePut,
  validateRange,
  validateTxn,
} from './validate.ts';

const NO_KEY = 'etcdserver: key is not provided';
const SORT = 'etcdserver: invalid sort option';
const DUPLICATE = 'etcdserver: duplicate key given in txn request';
const TOO_MANY = 'etcdserver: too many operations in txn request';

/** Enumerations of proto3 are open: any number arrives. */
const UNKNOWN: number = 77;

const many = (count: number) => Array.from({ length: count }, (_, i) => ops.range(`k${i}`));
const emptyOp = create(RequestOpSchema);

describe('what is refused before it is proposed', () => {
  it.each<[string, () => void, string | null]>([
    ['range', () => validateRange(range('a')), null],
    ['range without a key', () => validateRange(range('', 'z', { sortTarget: UNKNOWN })), NO_KEY],
    ['sort target', () => validateRange(range('a', '', { sortTarget: UNKNOWN })), SORT],
    ['sort order', () => validateRange(range('a', '', { sortOrder: UNKNOWN })), SORT],
    ['put without a key', () => validatePut(put('')), NO_KEY],
    [
      'value and ignore_value',
      () => validatePut(put('a', 'x', { ignoreValue: true })),
      'etcdserver: value is provided',
    ],
    [
      'lease and ignore_lease',
      () => validatePut(put('a', 'x', { ignoreLease: true, lease: 1n })),
      'etcdserver: lease is provided',
    ],
    ['delete without a key', () => validateDeleteRange(deleteRange('', 'z')), NO_KEY],
    [
      'largest TTL',
      () => validateLeaseGrant(create(LeaseGrantRequestSchema, { TTL: 9_000_000_000n })),
      null,
    ],
    [
      'larger TTL',
      () => validateLeaseGrant(create(LeaseGrantRequestSchema, { TTL: 9_000_000_001n })),
      'etcdserver: too large lease TTL',
    ],
  ])('%s', (_name, validate, message) => {
    if (message === null) expect(validate).not.toThrow();
    else expect(validate).toThrow(message);
  });

  it.each<[string, Parameters<typeof txn>[0], string | null]>([
    ['empty', {}, null],
    ['128 operations', { success: many(128), failure: many(128) }, null],
    ['129 operations', { failure: many(129) }, TOO_MANY],
    ['129 compares', { compare: many(129).map(() => ({ key: utf8('a') })) }, TOO_MANY],
    [
      'as many nested as the outer ones leave',
      { success: [ops.txn({ success: many(127) })] },
      null,
    ],
    ['one more', { success: [ops.txn({ success: many(128) })] }, TOO_MANY],
    ['compare without a key', { compare: [{}] }, NO_KEY],
    ['an operation without a key in the other branch', { failure: [ops.range('')] }, NO_KEY],
    ['an empty operation', { success: [emptyOp] }, 'etcdserver: key not found'],
    ['a key put twice', { success: [ops.put('a'), ops.put('a')] }, DUPLICATE],
    ['a key put in both branches', { success: [ops.put('a')], failure: [ops.put('a')] }, null],
    ['put and delete', { success: [ops.put('a'), ops.delete('a')] }, DUPLICATE],
    ['put inside a deleted range', { success: [ops.delete('a', 'c'), ops.put('b')] }, DUPLICATE],
    ['put at its end', { success: [ops.delete('a', 'c'), ops.put('c')] }, null],
    ['put in an open range', { success: [ops.delete('a', '\0'), ops.put('b')] }, DUPLICATE],
    ['put before an open range', { success: [ops.delete('b', '\0'), ops.put('a')] }, null],
    ['overlapping deletes', { success: [ops.delete('a', 'c'), ops.delete('b')] }, null],
    [
      'put outside and inside',
      { success: [ops.put('a'), ops.txn({ failure: [ops.put('a')] })] },
      DUPLICATE,
    ],
    [
      'put in both branches inside',
      { success: [ops.txn({ success: [ops.put('a')], failure: [ops.put('a')] })] },
      null,
    ],
    [
      'put in two nested ones',
      { success: [ops.txn({ success: [ops.put('a')] }), ops.txn({ success: [ops.put('a')] })] },
      DUPLICATE,
    ],
    [
      'put inside, deleted outside',
      { success: [ops.txn({ success: [ops.put('a')] }), ops.delete('a')] },
      DUPLICATE,
    ],
    [
      'deleted inside, put outside',
      { success: [ops.put('a'), ops.txn({ success: [ops.delete('a')] })] },
      DUPLICATE,
    ],
    ['too many before an empty key', { success: [ops.range(''), ...many(128)] }, TOO_MANY],
    [
      'an empty key before a duplicate',
      { success: [ops.put('a'), ops.put('a'), ops.put('')] },
      NO_KEY,
    ],
  ])('txn: %s', (_name, fields, message) => {
    const validate = () => validateTxn(txn(fields), 128);
    if (message === null) expect(validate).not.toThrow();
    else expect(validate).toThrow(message);
  });
});
