import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import {
  PutRequestSchema,
  PutResponseSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  WatchResponseSchema,
} from './gen/rpc_pb.ts';
import { decodeAny, encodeAny } from './json.ts';
import { decodeHot } from './json-decode-hot.ts';
import { encodeHot } from './json-encode-hot.ts';

const runs = { numRuns: 500 };

/** What decoding came to: a message or an error's text. */
function outcome(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    return String(error);
  }
}

/** The fast decoder may pass; where it answers, it answers as the generic one. */
function expectAgreement(schema: DescMessage, body: string): void {
  const hot = decodeHot(schema.typeName, body);
  if (hot !== null) expect(outcome(() => decodeAny(schema, body))).toEqual(hot);
}

/** A body as clients write it: fields in any order, numbers with and without quotes. */
function anyBody<Schema extends DescMessage>(schema: Schema): fc.Arbitrary<string> {
  return fc
    .tuple(anyMessage(schema), fc.boolean(), fc.boolean(), fc.nat({ max: 2 }))
    .map(([message, reversed, bare, indent]) => {
      const json = toJson(schema, message as MessageShape<Schema>, { useProtoFieldName: true });
      const entries = Object.entries(json as object);
      if (reversed) entries.reverse();
      const text = JSON.stringify(Object.fromEntries(entries), null, indent);
      return bare ? text.replace(/"(-?\d+)"/g, '$1') : text;
    });
}

const pieces = fc.constantFrom(
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    ' ',
    '\n',
    '-',
    '0',
    '1',
    '15',
    '.',
    'e',
    '=',
    'YQ==',
  ],
  ...[
    'true',
    'false',
    'null',
    '"key"',
    '"value"',
    '"lease"',
    '"limit"',
    '"prev_kv"',
    '"YQ=="',
    '""',
  ],
  ...['"rangeEnd"', '"range_end"', '"keys_only"', '"1"', '" 5"', '"01"', '12345678901234567890'],
);

describe.each([
  ['PutRequest', PutRequestSchema],
  ['RangeRequest', RangeRequestSchema],
])('the fast decoder of %s', (_name, schema: DescMessage) => {
  test('reads valid bodies as the generic one does', () => {
    fc.assert(
      fc.property(anyBody(schema), (body) => expectAgreement(schema, body)),
      runs,
    );
  });

  test('accepts nothing that the generic one refuses: bodies with something exchanged', () => {
    const damage = fc.tuple(anyBody(schema), fc.nat(), fc.nat({ max: 3 }), pieces);
    fc.assert(
      fc.property(damage, ([body, place, length, piece]) => {
        const at = place % body.length;
        expectAgreement(schema, body.slice(0, at) + piece + body.slice(at + length));
      }),
      { numRuns: 2000 },
    );
  });

  test('accepts nothing that the generic one refuses: bodies of random pieces', () => {
    const body = fc.array(pieces, { maxLength: 12 }).map((parts) => `{${parts.join('')}}`);
    fc.assert(
      fc.property(body, (text) => expectAgreement(schema, text)),
      { numRuns: 2000 },
    );
  });
});

test.each([
  ['{"key":"YQ==","value":"Yg==","lease":"-7","prev_kv":true,"ignore_value":false}'],
  ['{ "key": "YQ==",\n\t"value": "" , "lease" : 123456789012345 } trailing'],
  ['{}'],
])('the fast decoder of puts does not pass on %s', (body) => {
  expect(decodeHot('etcdserverpb.PutRequest', body)).toEqual(decodeAny(PutRequestSchema, body));
});

test.each([
  ['{"key":"YQ==","range_end":"Yg==","limit":"10","revision":5,"serializable":true}'],
  ['{"key":"YQ==","keys_only":true,"count_only":true}'],
])('the fast decoder of ranges does not pass on %s', (body) => {
  expect(decodeHot('etcdserverpb.RangeRequest', body)).toEqual(decodeAny(RangeRequestSchema, body));
});

test.each([
  ['{"key":"YQ==","lease":1234567890123456}'],
  ['{"key":"YQ==","lease":01}'],
  ['{"key":"YQ==","unknown":1}'],
  ['{"key":"YQ==\\n"}'],
  ['{"key":"YQ==",}'],
  ['{"key":"YQ=="'],
  [''],
])('the fast decoder of puts passes on %s', (body) => {
  expect(decodeHot('etcdserverpb.PutRequest', body)).toBeNull();
});

describe('the fast encoder agrees with the generic one', () => {
  test('PutResponse', () => {
    fc.assert(
      fc.property(anyMessage(PutResponseSchema), (message) => {
        expect(encodeHot(message)).toBe(encodeAny(PutResponseSchema, message));
      }),
      runs,
    );
  });

  test('RangeResponse', () => {
    fc.assert(
      fc.property(anyMessage(RangeResponseSchema), (message) => {
        expect(encodeHot(message)).toBe(encodeAny(RangeResponseSchema, message));
      }),
      runs,
    );
  });

  test('WatchResponse, also when its events are sent again', () => {
    fc.assert(
      fc.property(anyMessage(WatchResponseSchema), (message) => {
        expect(encodeHot(message)).toBe(encodeAny(WatchResponseSchema, message));
        const again = { ...message, watchId: message.watchId + 1n };
        expect(encodeHot(again)).toBe(encodeAny(WatchResponseSchema, again));
      }),
      runs,
    );
  });
});
