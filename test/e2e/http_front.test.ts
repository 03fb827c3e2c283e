import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methodOf } from '../../src/api/methods.ts';
import { must } from '../../src/lib/assert.ts';
import { freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { badBodies } from './malformed.ts';

/**
 * A client's port answers some requests by way of sessions, and passes the others on to the member.
 * Whichever it does, its answers are those of the member's own port, byte by byte.
 */

const workshop = new Workshop();
let cluster: RunningCluster;
let port = 0;

beforeAll(async () => {
  port = await freeFirstPort();
  cluster = await workshop.launch({ dataDir: workshop.dataDir(), port });
}, 60_000);

afterAll(() => workshop.clear());

/** It says nothing more when it has said nothing for so long: at first, and after that. */
const SILENT_MS = 10_000;
const QUIET_MS = 2_000;

/**
 * What comes back for these bytes, each as a character: until all answers are there, or the server
 * ends, or it says nothing more.
 */
function exchange(at: number, pieces: readonly string[], closes = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: at, noDelay: true, allowHalfOpen: true });
    const requests = pieces.join('').split(/ HTTP\/1\.\d\r\n/).length - 1;
    let text = '';
    let quiet: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(quiet);
      socket.destroy();
      resolve(text);
    };
    const finishAfter = (ms: number): void => {
      clearTimeout(quiet);
      if (!socket.destroyed) quiet = setTimeout(finish, ms);
    };
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (!closes && answersIn(text) === requests) return finish();
      finishAfter(QUIET_MS);
    });
    socket.on('end', finish);
    socket.on('error', reject);
    socket.on('connect', async () => {
      for (const piece of pieces) {
        socket.write(piece);
        if (pieces.length > 1) await new Promise((sent) => setTimeout(sent, 20));
      }
      if (closes) socket.end();
      finishAfter(text === '' ? SILENT_MS : QUIET_MS);
    });
  });
}

/** How many whole answers these are. One without a length ends with its connection. */
function answersIn(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n') + 4;
  if (headEnd < 4) return 0;
  const [head, rest] = [text.slice(0, headEnd), text.slice(headEnd)];
  // "100 Continue" goes before an answer, and is none.
  if (/^HTTP\/1\.\d 1\d\d /.test(head)) return answersIn(rest);
  const end = bodyLength(head, rest);
  return end === null || rest.length < end ? 0 : 1 + answersIn(rest.slice(end));
}

/** Null: it is not known yet. */
function bodyLength(head: string, rest: string): number | null {
  const length = /^Content-Length: (\d+)/im.exec(head)?.[1];
  if (length !== undefined) return Number(length);
  if (!/^Transfer-Encoding: chunked/im.test(head)) return null;
  const last = /(^|\r\n)0\r\n\r\n/.exec(rest);
  return last === null ? null : last.index + last[0].length;
}

function request(path: string, body: string, headers: readonly string[] = []): string {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = [`POST ${path} HTTP/1.1`, 'Host: 127.0.0.1', length, ...headers];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Revisions and versions rise with every write, and terms at any time. */
function steady(answer: string): string {
  return answer
    .replaceAll(/"(revision|mod_revision|version|create_revision|raft_term)":"\d+"/g, '"$1":"…"')
    .replaceAll(/Content-Length: \d+/g, 'Content-Length: …');
}

async function expectSame(pieces: readonly string[], closes = false): Promise<string> {
  const front = steady(await exchange(port, pieces, closes));
  expect(front).toBe(steady(await exchange(port + 1, pieces, closes)));
  expect(front).toMatch(/^HTTP\/1\.1 \d{3} /);
  return front;
}

const PUT = '{"key":"Zm9v","value":"YmFy"}';
const GET = '{"key":"Zm9v"}';

describe('answers are those of the member', () => {
  const bodies: readonly (readonly [path: string, body: string])[] = [
    ['/v3/kv/put', PUT],
    ['/v3/kv/range', GET],
    ['/v3/kv/put', '{"key":"Zm9v","value":"YmFy","prev_kv":true}'],
    ['/v3/kv/put', '{"key":"Zm9v","ignore_value":true}'],
    ['/v3/kv/put', '{"key":"bm9uZQ==","ignore_value":true}'],
    ['/v3/kv/put', '{"key":"Zm9v","lease":"77"}'],
    ['/v3/kv/put', '{"value":"YmFy"}'],
    ['/v3/kv/put', ''],
    ['/v3/kv/range', '{"key":"Zm9v","serializable":true,"keys_only":true}'],
    ['/v3/kv/range', '{"key":"Zm9v","revision":"999999"}'],
    ['/v3/kv/range', '{"key":"AA==","range_end":"AA==","count_only":true}'],
    ['/v3/kv/range', '{"key":"bm9uZQ=="}'],
    ['/v3/kv/deleterange', '{"key":"bm9uZQ==","prev_kv":true}'],
    ['/v3/kv/txn', '{"success":[{"requestRange":{"key":"Zm9v"}},{"requestPut":{"key":"YQ=="}}]}'],
    [
      '/v3/kv/txn',
      '{"compare":[{"key":"Zm9v","target":"MOD","result":"LESS","mod_revision":"1"}]}',
    ],
    ['/v3/kv/txn', '{"success":[{"requestPut":{"key":"YQ=="}},{"requestPut":{"key":"YQ=="}}]}'],
    ['/v3/kv/txn', '{"success":[{"requestTxn":{"failure":[]}}]}'],
    ['/v3/kv/txn', '{"success":[{}]}'],
  ];

  test.each(bodies)('%s %s', async (path, body) => {
    await expectSame([request(path, body)]);
  });

  test.each(['/v3/kv/put', '/v3/kv/range', '/v3/kv/deleterange', '/v3/kv/txn'])(
    'to what is no %s',
    async (path) => {
      const { input } = must(methodOf(path), 'a method');
      const bodiesOfPath = badBodies(input).filter(({ body }) => body.length < 10_000);
      for (const { body } of bodiesOfPath) await expectSame([request(path, body)]);
    },
    120_000,
  );
});

describe('a connection', () => {
  test('may send a request in pieces, cut anywhere', async () => {
    const whole = request('/v3/kv/range', GET);
    for (const at of [1, 5, 30, whole.indexOf('\r\n\r\n') + 4, whole.length - 1]) {
      await expectSame([whole.slice(0, at), whole.slice(at)]);
    }
  });

  test('may send requests without waiting, which are answered in order', async () => {
    const both = [
      request('/v3/kv/put', PUT),
      request('/v3/kv/range', GET),
      request('/version', ''),
    ];
    const answers = await expectSame([both.join('')]);
    expect(answers.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    await expectSame(both);
  });

  test('may end its side after the request', async () => {
    await expectSame([request('/v3/kv/range', GET)], true);
    await expectSame([request('/v3/kv/range', GET, ['Grpc-Timeout: 5S'])], true);
  });

  test('may ask for the unusual after the usual, and the other way round', async () => {
    const usual = request('/v3/kv/range', GET);
    const unusual = request('/v3/kv/range', GET, ['Grpc-Metadata-Hasleader: true']);
    const answers = await expectSame([usual, unusual, usual]);
    expect(answers.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  test('may speak HTTP in all the ways that the member knows', async () => {
    const chunked = [
      'POST /v3/kv/range HTTP/1.1',
      'Host: a',
      'Transfer-Encoding: chunked',
      '',
      'e',
      GET,
      '0',
      '',
      '',
    ].join('\r\n');
    await expectSame([chunked]);
    await expectSame([request('/v3/kv/range', GET, ['Connection: close'])]);
    await expectSame([request('/v3/kv/range', GET, ['Content-Length: 3'])]);
    await expectSame([request('/v3/kv/range', GET, ['Expect: 100-continue'])]);
    await expectSame([request('/v3/kv/range', GET).replace('HTTP/1.1', 'HTTP/1.0')]);
    await expectSame([request('/v3/kv/range', GET).replace('POST', 'BREW')]);
  });

  test('is answered although the member was killed meanwhile', async () => {
    cluster.killMember('m1');
    const usual = request('/v3/kv/put', PUT);
    // While it is gone nobody listens; when it is back, it is as it was.
    for (let tries = 0; ; tries++) {
      const answer = await exchange(port, [usual]).catch(() => '');
      if (answer.startsWith('HTTP/1.1 200')) break;
      expect(tries).toBeLessThan(100);
      expect(answer === '' || answer.startsWith('HTTP/1.1 503')).toBe(true);
      await new Promise((soon) => setTimeout(soon, 200));
    }
  }, 60_000);
});
