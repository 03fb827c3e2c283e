import { beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/config.ts';
import { type Answer, post, put, readValue, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;
const PATHS = ['range', 'put', 'deleterange', 'txn', 'compaction'].map((name) => `/v3/kv/${name}`);

beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
});

/** etcd's shape of an error: `error` and `message` are equal, `code` is gRPC's. */
function expectError(answer: Answer, status: number, code: number): void {
  expect(answer.json, answer.text).toEqual({
    error: answer.json['message'],
    code,
    message: expect.stringMatching(/\S/),
  });
  expect(answer.status).toBe(status);
}

/** The member serves: what it holds is readable, and a write goes through. */
async function expectServing(member: string): Promise<void> {
  const value = crypto.randomUUID();
  expect((await put('serving', value, member)).status).toBe(200);
  expect(await readValue('serving', member)).toBe(value);
}

const nested = (levels: number, open: string, close: string) =>
  open.repeat(levels) + close.repeat(levels);

const MALFORMED: readonly (readonly [what: string, body: string])[] = [
  ['a text', '"key"'],
  ['a number', '7'],
  ['a list', '[]'],
  ['a brace too few', '{"key":"YQ=="'],
  ['a brace too many at the start', '{{}'],
  ['no quotes', '{key:"YQ=="}'],
  ['single quotes', "{'key':'YQ=='}"],
  ['a comma at the end', '{"x":1,}'],
  ['a control character', '{"x":"\u0001"}'],
  ['an escape that is none', '{"x":"\\q"}'],
  ['a mark of byte order', '\ufeff{}'],
  ['binary', '\u0000\u0001\u0002'],
  ['200 lists in one another', `{"x":${nested(200, '[', ']')}}`],
  ['100,000 lists in one another', nested(100_000, '[', ']')],
  ['200 objects in one another', `${'{"x":'.repeat(200)}1${'}'.repeat(200)}`],
];

describe.each(PATHS)('%s', (path) => {
  it.each(MALFORMED)('refuses %s as a body', async (_, body) => {
    expectError(await post(path, body, 'm2'), 400, 3);
    await expectServing('m2');
  });

  it('refuses a body that is larger than any message', async () => {
    const body = `{"x":"${'a'.repeat(limits.bodyBytesMax)}"}`;
    expectError(await post(path, body, 'm2'), 429, 8);
    await expectServing('m2');
  });
});

const key = '"key":"YQ=="';
const WRONG: readonly (readonly [method: string, what: string, body: string])[] = [
  ['range', 'a number for a key', '{"key":5}'],
  ['range', 'an object for a key', '{"key":{}}'],
  ['range', 'a list for a key', '{"key":["YQ=="]}'],
  ['range', 'a key that is not base64', '{"key":"*"}'],
  ['range', 'a key that is cut base64', '{"key":"YQ="}'],
  ['range', 'a text for a limit', `{${key},"limit":"many"}`],
  ['range', 'a limit beyond 64 bits', `{${key},"limit":"9223372036854775808"}`],
  ['range', 'a fraction for a revision', `{${key},"revision":1.5}`],
  ['range', 'a text for a flag', `{${key},"serializable":"yes"}`],
  ['range', 'an unknown order', `{${key},"sort_order":"SIDEWAYS"}`],
  ['range', 'an order out of range', `{${key},"sort_order":7}`],
  ['range', 'no key', '{}'],
  ['range', 'an empty key', '{"key":""}'],
  ['range', 'a revision of the future', `{${key},"revision":"999999"}`],
  ['put', 'a flag for a value', `{${key},"value":true}`],
  ['put', 'a value that is not base64', `{${key},"value":"a b"}`],
  ['put', 'a text for a lease', `{${key},"lease":"mine"}`],
  ['put', 'an empty key', '{"key":"","value":"YQ=="}'],
  ['put', 'a value beside ignore_value', `{${key},"value":"YQ==","ignore_value":true}`],
  ['put', 'a value to keep that is not there', '{"key":"bm9uZQ==","ignore_value":true}'],
  ['deleterange', 'a number for a range end', `{${key},"range_end":1}`],
  ['deleterange', 'an empty key', '{"key":""}'],
  ['txn', 'a list for an operation', '{"success":[[]]}'],
  ['txn', 'no list of operations', `{"success":{"request_put":{${key}}}}`],
  ['txn', 'null for a comparison', '{"compare":[null]}'],
  ['txn', 'an empty key inside', '{"success":[{"request_put":{"key":""}}]}'],
  ['txn', 'an empty key in a comparison', '{"compare":[{"key":""}]}'],
  ['txn', 'one key put twice', `{"success":[{"request_put":{${key}}},{"request_put":{${key}}}]}`],
  ['txn', 'too many operations', `{"success":[${Array(129).fill('{}').join()}]}`],
  [
    'txn',
    'transactions nested 200 deep',
    `${'{"success":[{"request_txn":'.repeat(200)}{}${'}]}'.repeat(200)}`,
  ],
  ['compaction', 'a text for a revision', '{"revision":"new"}'],
  ['compaction', 'a revision of the future', '{"revision":"999999"}'],
];

describe('wrong fields', () => {
  it.each(WRONG)('%s: %s', async (method, _, body) => {
    const answer = await post(`/v3/kv/${method}`, body, 'm3');
    expectError(answer, 400, body.includes('999999') ? 11 : 3);
    await expectServing('m3');
  });

  it('a lease that does not exist', async () => {
    expectError(await post('/v3/kv/put', `{${key},"lease":"77"}`, 'm3'), 404, 5);
    await expectServing('m3');
  });

  it.each([
    ['beyond the limit of requests', limits.requestBytesMax, 400, 3],
    ['beyond the limit of messages', limits.messageBytesMax, 429, 8],
  ])('a value %s', async (_, bytes, status, code) => {
    const value = 'eHh4'.repeat(Math.ceil(bytes / 3));
    expectError(await post('/v3/kv/put', `{${key},"value":"${value}"}`, 'm3'), status, code);
    await expectServing('m3');
  });

  it.each([
    ['unknown fields', `{${key},"nonsense":{"deep":[1]}}`],
    ['text after the first value', `{${key}} and more`],
  ])('%s count for nothing, as in etcd', async (_, body) => {
    expect((await post('/v3/kv/range', body, 'm3')).status).toBe(200);
  });
});
