import { describe, expect, test } from 'vitest';
import { Code, EtcdError } from './error.ts';
import {
  MemberAddRequestSchema,
  RangeRequestSchema,
  TxnRequestSchema,
  WatchRequestSchema,
} from './gen/rpc_pb.ts';
import { decodeJson } from './json.ts';

/** Bodies that etcd 3.4.23 refuses and its words for it, as recorded. */
const SORT_ORDER = 'etcdserverpb.RangeRequest_SortOrder';
const RECORDED = [
  // No object.
  ['[]', 'json: cannot unmarshal array into Go value of type map[string]json.RawMessage'],
  ['"x"', 'json: cannot unmarshal string into Go value of type map[string]json.RawMessage'],
  ['5', 'json: cannot unmarshal number into Go value of type map[string]json.RawMessage'],
  ['true', 'json: cannot unmarshal bool into Go value of type map[string]json.RawMessage'],
  [
    '[{"key":"YQ=="}]',
    'json: cannot unmarshal array into Go value of type map[string]json.RawMessage',
  ],
  // No JSON.
  ['x', "invalid character 'x' looking for beginning of value"],
  ['{"key":"YQ=="', 'unexpected EOF'],
  ['{"key":"YQ==",}', "invalid character '}' looking for beginning of object key string"],
  ['{key:"YQ=="}', "invalid character 'k' looking for beginning of object key string"],
  ["{'key':'YQ=='}", "invalid character '\\'' looking for beginning of object key string"],
  ['{"key" "YQ=="}', "invalid character '\"' after object key"],
  ['{"key":"YQ==\\q"}', "invalid character 'q' in string escape code"],
  // No base64.
  ['{"key":"YQ"}', 'illegal base64 data at input byte 0'],
  ['{"key":"Y"}', 'illegal base64 data at input byte 0'],
  ['{"key":"_-8="}', 'illegal base64 data at input byte 0'],
  ['{"key":" YQ=="}', 'illegal base64 data at input byte 0'],
  ['{"key":"YQ==="}', 'illegal base64 data at input byte 4'],
  ['{"key":"Y*=="}', 'illegal base64 data at input byte 1'],
  ['{"key":"YQ= ="}', 'illegal base64 data at input byte 2'],
  // Wrong kinds of values.
  ['{"key":5}', 'json: cannot unmarshal number into Go value of type []uint8'],
  ['{"key":{}}', 'json: cannot unmarshal object into Go value of type []uint8'],
  ['{"key":["YQ=="]}', 'json: cannot unmarshal string into Go value of type uint8'],
  ['{"key":true}', 'json: cannot unmarshal bool into Go value of type []uint8'],
  ['{"key":"YQ==","limit":true}', 'json: cannot unmarshal bool into Go value of type int64'],
  ['{"key":"YQ==","limit":"abc"}', "invalid character 'a' looking for beginning of value"],
  ['{"key":"YQ==","limit":""}', 'unexpected end of JSON input'],
  ['{"key":"YQ==","limit":[1]}', 'json: cannot unmarshal array into Go value of type int64'],
  ['{"key":"YQ==","keys_only":1}', 'json: cannot unmarshal number into Go value of type bool'],
  ['{"key":"YQ==","keys_only":"true"}', 'json: cannot unmarshal string into Go value of type bool'],
  // Numbers that are no int64.
  ['{"key":"YQ==","limit":1.0}', 'json: cannot unmarshal number 1.0 into Go value of type int64'],
  ['{"key":"YQ==","limit":1.5}', 'json: cannot unmarshal number 1.5 into Go value of type int64'],
  ['{"key":"YQ==","limit":1e2}', 'json: cannot unmarshal number 1e2 into Go value of type int64'],
  ['{"key":"YQ==","limit":"1e2"}', 'json: cannot unmarshal number 1e2 into Go value of type int64'],
  [
    '{"key":"YQ==","limit":9223372036854775808}',
    'json: cannot unmarshal number 9223372036854775808 into Go value of type int64',
  ],
  ['{"key":"YQ==","limit":"+1"}', "invalid character '+' looking for beginning of value"],
  ['{"key":"YQ==","limit":"0x1"}', "invalid character 'x' after top-level value"],
  // No value of an enum.
  ['{"sort_order":"2"}', `unknown value "2" for enum ${SORT_ORDER}`],
  ['{"sort_order":"descend"}', `unknown value "descend" for enum ${SORT_ORDER}`],
  ['{"sort_order":"BOGUS"}', `unknown value "BOGUS" for enum ${SORT_ORDER}`],
  ['{"sort_order":1.5}', `json: cannot unmarshal number 1.5 into Go value of type ${SORT_ORDER}`],
] as const;

const RECORDED_TXN = [
  ['{"compare":{}}', 'json: cannot unmarshal object into Go value of type []json.RawMessage'],
  [
    '{"success":[5]}',
    'json: cannot unmarshal number into Go value of type map[string]json.RawMessage',
  ],
  [
    '{"compare":[{"key":"YQ==","target":"NOPE"}]}',
    'unknown value "NOPE" for enum etcdserverpb.Compare_CompareTarget',
  ],
  [
    '{"compare":[{"key":"YQ==","result":"==","target":"VALUE"}]}',
    'unknown value "==" for enum etcdserverpb.Compare_CompareResult',
  ],
] as const;

const RECORDED_WATCH = [
  ['{"create_request":{"key":', 'unexpected EOF'],
  ['hello', "invalid character 'h' looking for beginning of value"],
  ['{"create_request":{"key":"***"}}', 'illegal base64 data at input byte 0'],
] as const;

function errorOf(decode: () => unknown): [number, string] {
  try {
    decode();
  } catch (error) {
    if (error instanceof EtcdError) return [error.code, error.message];
    throw error;
  }
  throw new Error('accepted');
}

describe('what etcd refuses is refused in its words', () => {
  test.each(RECORDED)('range %s', (body, message) => {
    const refusal = [Code.invalidArgument, message];
    expect(errorOf(() => decodeJson(RangeRequestSchema, body))).toEqual(refusal);
  });

  test.each(RECORDED_TXN)('txn %s', (body, message) => {
    const refusal = [Code.invalidArgument, message];
    expect(errorOf(() => decodeJson(TxnRequestSchema, body))).toEqual(refusal);
  });

  test.each(RECORDED_WATCH)('watch %s', (body, message) => {
    const refusal = [Code.invalidArgument, message];
    expect(errorOf(() => decodeJson(WatchRequestSchema, body))).toEqual(refusal);
  });

  test('member add', () => {
    const body = '{"peerURLs":"http://10.9.8.7:2380"}';
    expect(errorOf(() => decodeJson(MemberAddRequestSchema, body))).toEqual([
      Code.invalidArgument,
      'json: cannot unmarshal string into Go value of type []json.RawMessage',
    ]);
  });
});
