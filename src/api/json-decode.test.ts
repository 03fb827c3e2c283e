import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { limits } from '../config.ts';
import { utf8 } from '../lib/bytes.ts';
import {
  AlarmRequestSchema,
  AuthUserAddRequestSchema,
  CompareSchema,
  LeaseGrantRequestSchema,
  MemberAddRequestSchema,
  MemberRemoveRequestSchema,
  PutRequestSchema,
  RangeRequest_SortOrder,
  RangeRequestSchema,
  RequestOpSchema,
  TxnRequestSchema,
  WatchCreateRequestSchema,
  WatchRequestSchema,
} from './gen/rpc_pb.ts';
import { decodeJson, decodeJsonNext } from './json.ts';

const a = utf8('a');
const b = utf8('b');

function range(init: MessageInitShape<typeof RangeRequestSchema>) {
  return create(RangeRequestSchema, init);
}

describe('bodies', () => {
  test.each(['', ' ', '\n', 'null', '{}', ' {} ', 'nullx', '{"key":null}'])(
    '%j is empty',
    (body) => {
      expect(decodeJson(RangeRequestSchema, body)).toEqual(range({}));
    },
  );

  test.each(['{"key":"YQ=="} more', '{"key":"YQ=="}{"key":"Yg=="}', ' {\n"key" :\t"YQ==" } '])(
    '%j: what follows the first value does not count',
    (body) => {
      expect(decodeJson(RangeRequestSchema, body)).toEqual(range({ key: a }));
    },
  );

  test('unknown fields are skipped, and names are case-sensitive', () => {
    const body = '{"foo":1,"bar":{"key":[{"x":"}\\""}]},"KEY":"Yg==","key":"YQ=="}';
    expect(decodeJson(RangeRequestSchema, body)).toEqual(range({ key: a }));
    expect(decodeJson(LeaseGrantRequestSchema, '{"ttl":5,"id":6,"TTL":7}')).toEqual(
      create(LeaseGrantRequestSchema, { TTL: 7n }),
    );
  });

  test('the last of repeated fields wins, and the others are not even looked at', () => {
    expect(decodeJson(RangeRequestSchema, '{"key":"*","key":"Yg=="}')).toEqual(range({ key: b }));
  });

  test('both styles of names; of both together lowerCamelCase wins', () => {
    const expected = range({ rangeEnd: b, keysOnly: true });
    expect(decodeJson(RangeRequestSchema, '{"rangeEnd":"Yg==","keysOnly":true}')).toEqual(expected);
    const both = '{"rangeEnd":"Yg==","range_end":"YQ==","keys_only":true}';
    expect(decodeJson(RangeRequestSchema, both)).toEqual(expected);
  });

  test('names and values may be escaped', () => {
    const body = '{"\\u006bey":"YQ\\u003d=","limit":"1"}';
    expect(decodeJson(RangeRequestSchema, body)).toEqual(range({ key: a, limit: 1n }));
  });

  test('nesting is bounded', () => {
    const nested = (depth: number) => `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(decodeJson(RangeRequestSchema, nested(limits.jsonDepthMax))).toEqual(range({}));
    const error = `exceeded max depth of ${limits.jsonDepthMax}`;
    expect(() => decodeJson(RangeRequestSchema, nested(limits.jsonDepthMax + 1))).toThrow(error);
    expect(() => decodeJson(RangeRequestSchema, '{"x":'.repeat(1_000_000))).toThrow(error);
  });

  test('the number of values is bounded', () => {
    const decode = (element: string, length: number) =>
      decodeJson(TxnRequestSchema, `{"compare":[${Array(length).fill(element).join()}]}`);
    // The body and the list count, too.
    expect(decode('{}', limits.jsonItemsMax - 2).compare.length).toBe(limits.jsonItemsMax - 2);
    expect(() => decode('{}', limits.jsonItemsMax - 1)).toThrow(
      `more than ${limits.jsonItemsMax} objects and lists`,
    );
    expect(() => decode('1', limits.jsonItemsMax + 1)).toThrow(
      `more than ${limits.jsonItemsMax} list elements`,
    );
  });
});

describe('syntax errors', () => {
  test.each([
    ['{', 'unexpected EOF'],
    ['{"a', 'unexpected EOF'],
    ['{"a":"\\', 'unexpected EOF'],
    ['{"a":"\\u12', 'unexpected EOF'],
    ['{"a":tr', 'unexpected EOF'],
    ['{"a":-', 'unexpected EOF'],
    ['[', 'unexpected EOF'],
    ['{bad', "invalid character 'b' looking for beginning of object key string"],
    ['{"a":}', "invalid character '}' looking for beginning of value"],
    ['{"a":1 "b"', "invalid character '\"' after object key:value pair"],
    ['{"a":01}', "invalid character '1' after object key:value pair"],
    ['{"a":[1 2]}', "invalid character '2' after array element"],
    ['{"a":[1,]}', "invalid character ']' looking for beginning of value"],
    ['{"a":"\n"}', "invalid character '\\n' in string literal"],
    ['{"a":"\\u12g4"}', "invalid character 'g' in \\u hexadecimal character escape"],
    ['{"a":trUe}', "invalid character 'U' in literal true (expecting 'u')"],
    ['{"a":fals3}', "invalid character '3' in literal false (expecting 'e')"],
    ['{"a":nul}', "invalid character '}' in literal null (expecting 'l')"],
    ['{"a":-x}', "invalid character 'x' in numeric literal"],
    ['{"a":1.}', "invalid character '}' after decimal point in numeric literal"],
    ['{"a":1e+}', "invalid character '}' in exponent of numeric literal"],
    ['{"a":\u0001}', "invalid character '\\x01' looking for beginning of value"],
    ['\u00e9', "invalid character '\u00c3' looking for beginning of value"],
    ['{"a":\u2028}', "invalid character '\u00e2' looking for beginning of value"],
  ])('%j', (body, message) => {
    expect(() => decodeJson(RangeRequestSchema, body)).toThrow(message);
  });

  test('come before errors of meaning, wherever they stand', () => {
    expect(() => decodeJson(RangeRequestSchema, '{"key":5,"limit":x}')).toThrow(
      "invalid character 'x' looking for beginning of value",
    );
  });

  test('errors of meaning come in the order of declaration', () => {
    expect(() => decodeJson(RangeRequestSchema, '{"limit":true,"range_end":1}')).toThrow(
      'json: cannot unmarshal number into Go value of type []uint8',
    );
  });
});

describe('integers', () => {
  test.each([
    ['5', 5n],
    ['"5"', 5n],
    ['" 5"', 5n],
    ['"5\\u000a"', null],
    ['-1', -1n],
    ['"-1"', -1n],
    ['-0', 0n],
    ['9223372036854775807', 9223372036854775807n],
    ['"-9223372036854775808"', -9223372036854775808n],
    ['-9223372036854775809', null],
    [`1${'0'.repeat(1000)}`, null],
    ['"null"', 0n],
    ['"true"', null],
    ['"\\"5\\""', null],
    ['"5 5"', null],
  ])('%s', (json, expected) => {
    const decode = () => decodeJson(RangeRequestSchema, `{"limit":${json}}`).limit;
    if (expected === null) expect(decode).toThrow();
    else expect(decode()).toBe(expected);
  });

  test('unsigned ones have no sign', () => {
    const id = (json: string) => decodeJson(MemberRemoveRequestSchema, `{"ID":${json}}`).ID;
    expect(id('18446744073709551615')).toBe(18446744073709551615n);
    expect(() => id('-0')).toThrow('json: cannot unmarshal number -0 into Go value of type uint64');
    expect(() => id('"-1"')).toThrow(
      'json: cannot unmarshal number -1 into Go value of type uint64',
    );
  });
});

describe('enums', () => {
  test.each([
    ['"DESCEND"', 2],
    ['2', 2],
    ['9', 9],
    ['-1', -1],
    ['null', 0],
  ])('%s', (json, expected) => {
    const { sortOrder } = decodeJson(RangeRequestSchema, `{"sort_order":${json}}`);
    expect(sortOrder).toBe(expected);
  });

  test('a list of them', () => {
    const body = '{"filters":["NODELETE",0,7]}';
    expect(decodeJson(WatchCreateRequestSchema, body).filters).toEqual([1, 0, 7]);
  });

  test('Go names the type, and quotes the value as it was written', () => {
    expect(() => decodeJson(AlarmRequestSchema, '{"action":"\\u0041\u00a0"}')).toThrow(
      'unknown value "\\\\u0041\\u00a0" for enum etcdserverpb.AlarmRequest_AlarmAction',
    );
    expect(() => decodeJson(AlarmRequestSchema, '{"alarm":2147483648}')).toThrow(
      'json: cannot unmarshal number 2147483648 into Go value of type etcdserverpb.AlarmType',
    );
  });

  test('names of objects are no names of values', () => {
    expect(() => decodeJson(RangeRequestSchema, '{"sort_order":"toString"}')).toThrow(
      'unknown value "toString" for enum',
    );
    expect(RangeRequest_SortOrder.DESCEND).toBe(2);
  });
});

describe('bytes and strings', () => {
  test('a list of small numbers is bytes, too', () => {
    expect(decodeJson(PutRequestSchema, '{"key":[97,null]}').key).toEqual(Uint8Array.of(97, 0));
    expect(() => decodeJson(PutRequestSchema, '{"key":[256]}')).toThrow(
      'json: cannot unmarshal number 256 into Go value of type uint8',
    );
  });

  test('strings', () => {
    const body = '{"name":"\\u00e9\\ud83d\\ude00\\ud800","options":{"no_password":true}}';
    expect(decodeJson(AuthUserAddRequestSchema, body)).toEqual(
      create(AuthUserAddRequestSchema, {
        name: '\u00e9\u{1f600}\ufffd',
        options: { noPassword: true },
      }),
    );
    expect(() => decodeJson(AuthUserAddRequestSchema, '{"name":5}')).toThrow(
      'json: cannot unmarshal number into Go value of type string',
    );
    const urls = decodeJson(MemberAddRequestSchema, '{"peerURLs":["http://a:1",null]}').peerURLs;
    expect(urls).toEqual(['http://a:1', '']);
  });
});

describe('messages in messages', () => {
  test('of two members of a oneof the one that is declared last wins', () => {
    const body = '{"request_put":{"key":"YQ=="},"request_range":{"key":"Yg=="}}';
    expect(decodeJson(RequestOpSchema, body)).toEqual(
      create(RequestOpSchema, {
        request: { case: 'requestPut', value: create(PutRequestSchema, { key: a }) },
      }),
    );
  });

  test('a null scalar of a oneof is chosen, a null message is not', () => {
    expect(decodeJson(CompareSchema, '{"version":null}').targetUnion).toEqual({
      case: 'version',
      value: 0n,
    });
    expect(decodeJson(RequestOpSchema, '{"request_txn":null}').request.case).toBeUndefined();
  });

  test('transactions nest', () => {
    const body =
      '{"compare":[{"key":"YQ==","value":"Yg==","target":3}],"success":[{"requestTxn":{"failure":[{}]}}]}';
    expect(decodeJson(TxnRequestSchema, body)).toEqual(
      create(TxnRequestSchema, {
        compare: [{ key: a, target: 3, targetUnion: { case: 'value', value: b } }],
        success: [{ request: { case: 'requestTxn', value: { failure: [{}] } } }],
      }),
    );
  });

  test('a list of messages has no null in it', () => {
    expect(() => decodeJson(TxnRequestSchema, '{"compare":[null]}')).toThrow(
      'proto: repeated field "compare" has a null element',
    );
  });
});

test('a stream is read one message after the other', () => {
  const body = '{"create_request":{"key":"YQ=="}}\n{"cancel_request":{"watch_id":"5"}} ';
  const first = decodeJsonNext(WatchRequestSchema, body, 0);
  expect(first?.message.requestUnion.case).toBe('createRequest');
  const second = decodeJsonNext(WatchRequestSchema, body, first?.end ?? 0);
  expect(second?.message.requestUnion).toMatchObject({
    case: 'cancelRequest',
    value: { watchId: 5n },
  });
  expect(decodeJsonNext(WatchRequestSchema, body, second?.end ?? 0)).toBeNull();
});
