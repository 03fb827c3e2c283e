import { create, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../lib/bytes.ts';
import { anyMessage } from './arbitrary.test-util.ts';
import type { Permission_Type } from './gen/auth_pb.ts';
import {
  AuthRoleGetResponseSchema,
  HashKVResponseSchema,
  LeaseTimeToLiveResponseSchema,
  MemberListResponseSchema,
  PutResponseSchema,
  RangeResponseSchema,
  StatusResponseSchema,
  TxnResponseSchema,
  WatchResponseSchema,
} from './gen/rpc_pb.ts';
import { decodeAny, encodeAny, encodeJson } from './json.ts';
import { METHODS } from './methods.ts';

const a = utf8('a');
/** proto3 enums are open: a newer server may send more than the types know. */
const UNKNOWN_TYPE: number = 9;

describe('encodeJson', () => {
  test('names, order and forms are those of etcd', () => {
    const json = encodeJson(
      RangeResponseSchema,
      create(RangeResponseSchema, {
        header: { clusterId: 2n ** 64n - 1n, memberId: 1n, revision: 7n, raftTerm: 2n },
        kvs: [{ key: a, createRevision: 3n, modRevision: 7n, version: 2n, value: a, lease: -1n }],
        more: true,
        count: 2n,
      }),
    );
    expect(json).toBe(
      '{"header":{"cluster_id":"18446744073709551615","member_id":"1","revision":"7","raft_term":"2"},' +
        '"kvs":[{"key":"YQ==","create_revision":"3","mod_revision":"7","version":"2","value":"YQ==","lease":"-1"}],' +
        '"more":true,"count":"2"}',
    );
  });

  test('zero values are left out, empty messages are not', () => {
    expect(encodeJson(PutResponseSchema, create(PutResponseSchema))).toBe('{}');
    expect(encodeJson(PutResponseSchema, create(PutResponseSchema, { header: {} }))).toBe(
      '{"header":{}}',
    );
    const status = create(StatusResponseSchema, { downgradeInfo: {}, dbSize: 5n });
    expect(encodeJson(StatusResponseSchema, status)).toBe('{"dbSize":"5","downgradeInfo":{}}');
    const role = create(AuthRoleGetResponseSchema, { perm: [{}, { permType: 2, key: a }] });
    expect(encodeJson(AuthRoleGetResponseSchema, role)).toBe(
      '{"perm":[{},{"permType":"READWRITE","key":"YQ=="}]}',
    );
  });

  test('64-bit integers are strings, others numbers', () => {
    const hash = create(HashKVResponseSchema, { hash: 4294967295, compactRevision: -1n });
    expect(encodeJson(HashKVResponseSchema, hash)).toBe(
      '{"hash":4294967295,"compact_revision":"-1"}',
    );
  });

  test('events of deletions, lists of bytes, odd names', () => {
    const watch = create(WatchResponseSchema, { events: [{ type: 1, kv: { key: a } }, {}] });
    expect(encodeJson(WatchResponseSchema, watch)).toBe(
      '{"events":[{"type":"DELETE","kv":{"key":"YQ=="}},{}]}',
    );
    const lease = create(LeaseTimeToLiveResponseSchema, { ID: 5n, TTL: -1n, keys: [a, a] });
    expect(encodeJson(LeaseTimeToLiveResponseSchema, lease)).toBe(
      '{"ID":"5","TTL":"-1","keys":["YQ==","YQ=="]}',
    );
  });

  test('a chosen member of a oneof is printed', () => {
    const txn = create(TxnResponseSchema, {
      responses: [{ response: { case: 'responseDeleteRange', value: {} } }, {}],
    });
    expect(encodeJson(TxnResponseSchema, txn)).toBe(
      '{"responses":[{"response_delete_range":{}},{}]}',
    );
  });

  test('strings are escaped as Go does it, unknown numbers of enums stay numbers', () => {
    const members = create(MemberListResponseSchema, { members: [{ name: '<&">\u2028\n' }] });
    expect(encodeJson(MemberListResponseSchema, members)).toBe(
      '{"members":[{"name":"\\u003c\\u0026\\"\\u003e\\u2028\\n"}]}',
    );
    const role = create(AuthRoleGetResponseSchema, {
      perm: [{ permType: UNKNOWN_TYPE as Permission_Type }],
    });
    expect(encodeJson(AuthRoleGetResponseSchema, role)).toBe('{"perm":[{"permType":9}]}');
  });
});

const schemas = new Map(
  METHODS.flatMap(({ input, output }) => [input, output]).map((schema) => [
    schema.typeName,
    schema,
  ]),
);

describe.each([...schemas])('%s', (_typeName, schema) => {
  test('means the same to the protobuf library, and comes back', () => {
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        const json = encodeAny(schema, message);
        expect(JSON.parse(json)).toEqual(toJson(schema, message, { useProtoFieldName: true }));
        expect(decodeAny(schema, json)).toEqual(message);
      }),
      { numRuns: 20 },
    );
  });
});
