import { runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../src/lib/bytes.ts';
import { base64, post, put, readValue, unbase64, until, untilWritable } from './client.ts';

type Json = Readonly<Record<string, unknown>>;

beforeAll(() => untilWritable());

const fetchEdge = (path: string, init: RequestInit = {}): Promise<Response> =>
  exports.default.fetch(new Request(`http://edge.example${path}`, init));

const watchOf = (key: string): string => JSON.stringify({ create_request: { key: base64(key) } });

/** The pieces of a body that goes on, as they come: lines, or events between empty lines. */
class Pieces {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #separator: string;
  #text = '';

  constructor(response: Response, separator = '\n') {
    if (response.body === null) throw new Error('no body');
    this.#reader = response.body.getReader();
    this.#separator = separator;
  }

  /** null: there are no more. Blank lines count for nothing. */
  async next(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf(this.#separator);
      if (end >= 0) {
        const piece = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + this.#separator.length);
        if (piece.trim() !== '') return piece;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return this.#rest();
      this.#text += textOf(value);
    }
  }

  async json(): Promise<Json> {
    return JSON.parse((await this.next()) ?? 'null') as Json;
  }

  /** What came after the last separator. */
  #rest(): string | null {
    const rest = this.#text;
    this.#text = '';
    return rest.trim() === '' ? null : rest;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** The keys and values of the events of an answer. */
function eventsOf(answer: Json): string[] {
  const { events = [] } = (answer['result'] ?? answer) as { events?: Json[] };
  return events.map(({ type, kv }) => {
    const { key = '', value = '' } = kv as Record<string, string>;
    return `${type ?? 'PUT'} ${unbase64(key)}=${unbase64(value)}`;
  });
}

describe('a watch over HTTP', () => {
  it('answers a line for each change, as it happens', async () => {
    const response = await fetchEdge('/v3/watch', { method: 'POST', body: watchOf('http') });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const lines = new Pieces(response);
    expect(await lines.json()).toMatchObject({ result: { created: true } });
    await put('http', '1');
    await put('other', 'x');
    await put('http', '2');
    expect(eventsOf(await lines.json())).toEqual(['PUT http=1']);
    expect(eventsOf(await lines.json())).toEqual(['PUT http=2']);
    await lines.cancel();
  });

  it('tells what it cannot read as etcd does', async () => {
    const { status, json } = await post('/v3/watch', 'hello');
    expect(status).toBe(500);
    expect(json).toMatchObject({ code: 2, error: expect.stringMatching(/^invalid character 'h'/) });
  });

  it('ends at the deadline, with the error as the last line', async () => {
    const init = { method: 'POST', body: watchOf('a'), headers: { 'grpc-timeout': '300m' } };
    const lines = new Pieces(await fetchEdge('/v3/watch', init));
    expect(await lines.json()).toMatchObject({ result: { created: true } });
    expect(await lines.json()).toMatchObject({ error: { grpc_code: 4, http_code: 504 } });
    expect(await lines.next()).toBeNull();
  });

  it.each(['m1', 'm2', 'm3'])('is served by %s', async (endpoint) => {
    const headers = { 'x-etcd-endpoint': endpoint };
    const init = { method: 'POST', body: watchOf(`at-${endpoint}`), headers };
    const lines = new Pieces(await fetchEdge('/v3/watch', init));
    await lines.next();
    await put(`at-${endpoint}`, 'here');
    expect(eventsOf(await lines.json())).toEqual([`PUT at-${endpoint}=here`]);
    await lines.cancel();
  });
});

describe('a watch as server-sent events', () => {
  const events = async (query: string, headers: Record<string, string> = {}) => {
    const accept = { accept: 'text/event-stream' };
    const response = await fetchEdge(`/v3/watch?${query}`, { headers: { ...accept, ...headers } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    return new Pieces(response, '\n\n');
  };
  const fieldsOf = (event: string | null): Record<string, string> =>
    Object.fromEntries(
      (event ?? '').split('\n').map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon), line.slice(colon + 2)] as const;
      }),
    );

  it('goes on where the page was when it comes back', async () => {
    const first = await events('key_utf8=sse&prefix=true');
    expect(await first.next()).toMatch(/^retry: \d+$/);
    expect(fieldsOf(await first.next())['event']).toBe('created');
    await put('sse/1', 'a');
    const seen = fieldsOf(await first.next());
    expect(eventsOf(JSON.parse(seen['data'] ?? '') as Json)).toEqual(['PUT sse/1=a']);
    await first.cancel();
    await put('sse/2', 'b');
    const again = await events('key_utf8=sse&prefix=true', { 'last-event-id': seen['id'] ?? '' });
    await again.next();
    await again.next();
    const missed = fieldsOf(await again.next());
    expect(eventsOf(JSON.parse(missed['data'] ?? '') as Json)).toEqual(['PUT sse/2=b']);
    expect(Number(missed['id'])).toBe(Number(seen['id']) + 1);
    await again.cancel();
  });
});

/** A client's end of a WebSocket: what came, and how it was closed. */
async function connect(path: string, headers: Record<string, string> = {}) {
  const response = await fetchEdge(path, { headers: { upgrade: 'websocket', ...headers } });
  const socket = response.webSocket;
  if (!socket) throw new Error(`no WebSocket: ${response.status}`);
  const messages: string[] = [];
  let closed: string | null = null;
  socket.addEventListener('message', ({ data }) => {
    messages.push(String(data));
  });
  socket.addEventListener('close', ({ code, reason }) => {
    closed = `${code} ${reason}`;
  });
  socket.accept();
  const arrived = (count: number) =>
    until(
      async () => messages,
      ({ length }) => length >= count,
    );
  const over = () =>
    until(
      async () => closed,
      (how) => how !== null,
    );
  return { socket, messages, arrived, over, response };
}

describe('a WebSocket', () => {
  it('carries several watches both ways', async () => {
    const { socket, messages, arrived } = await connect('/v3/watch');
    socket.send(watchOf('ws-a'));
    await arrived(1);
    socket.send(watchOf('ws-b'));
    await arrived(2);
    await put('ws-b', '1');
    await arrived(3);
    socket.send('{"cancel_request":{"watch_id":"0"}}');
    await arrived(4);
    await put('ws-a', 'unseen');
    await put('ws-b', '2');
    await arrived(5);
    expect(messages.flatMap((text) => eventsOf(JSON.parse(text) as Json))).toEqual([
      'PUT ws-b=1',
      'PUT ws-b=2',
    ]);
    socket.close(1000);
  });

  it('serves unary methods, and is closed after the answer', async () => {
    const { socket, messages, over } = await connect('/v3/kv/put');
    socket.send(JSON.stringify({ key: base64('by-ws'), value: base64('1') }));
    expect(await over()).toMatch(/^1000/);
    expect(JSON.parse(messages[0] ?? '')).toMatchObject({ header: {} });
    expect(await readValue('by-ws')).toBe('1');
  });

  it('tells errors as messages', async () => {
    const wrong = await connect('/v3/watch');
    wrong.socket.send('hello');
    expect(await wrong.over()).toMatch(/^1011 invalid character/);
    expect(JSON.parse(wrong.messages[0] ?? '')).toMatchObject({ code: 2 });
    const nowhere = await connect('/v3/nope');
    await nowhere.over();
    expect(nowhere.messages).toEqual(['Not Found']);
  });

  it.each([
    [1000, 1000],
    [1001, 1000],
    [3001, 3001],
  ])('that its client closes with %i is closed with %i', async (code, answered) => {
    const { socket, arrived, over } = await connect('/v3/watch');
    socket.send(watchOf('closing'));
    await arrived(1);
    socket.close(code, 'done');
    expect(await over()).toBe(`${answered} `);
  });

  it('takes the protocol that a browser has to offer for its token', async () => {
    const headers = { 'sec-websocket-protocol': 'Bearer, abc' };
    const { response, socket } = await connect('/v3/watch', headers);
    expect(response.headers.get('sec-websocket-protocol')).toBe('Bearer');
    socket.close(1000);
  });

  it('has what it needs after a hibernation attached to it', async () => {
    const { socket, arrived } = await connect('/v3/watch', { 'x-etcd-endpoint': 'm2' });
    socket.send(watchOf('sleeper'));
    await arrived(1);
    const stub = env.MEMBER.getByName('edgetcd/m2');
    const phases = await until(
      () =>
        runInDurableObject(stub, (_member, state) =>
          state.getWebSockets('client').map((each) => {
            const { path, phase } = each.deserializeAttachment() as Record<string, string>;
            return `${path} ${phase}`;
          }),
        ),
      (all) => all.includes('/v3/watch saved'),
    );
    expect(phases).toContain('/v3/watch saved');
    socket.close(1000);
  });
});

it('a WebSocket of a peer that the peer closes is closed here too', async () => {
  const stub = env.MEMBER.getByName('edgetcd/m1');
  const request = new Request('http://member/raft', { headers: { upgrade: 'websocket' } });
  const { webSocket: socket } = await stub.fetch(request);
  if (!socket) throw new Error('no WebSocket');
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code));
  });
  socket.accept();
  socket.close(1000);
  expect(await closed).toBe(1000);
});

describe('a lock that somebody holds', () => {
  const lock = (name: string, init: RequestInit = {}): Promise<Response> => {
    const body = JSON.stringify({ name: base64(name) });
    return fetchEdge('/v3/lock/lock', { method: 'POST', body, ...init });
  };
  const waiters = async (name: string): Promise<number> => {
    const range = { key: base64(`${name}/`), range_end: base64(`${name}0`), count_only: true };
    const { json } = await post('/v3/kv/range', range);
    return Number(json['count'] ?? 0);
  };

  it('is not waited for by a client that has hung up', async () => {
    const held = await lock('hung-up');
    expect(held.status).toBe(200);
    const controller = new AbortController();
    const waiting = lock('hung-up', { signal: controller.signal });
    await until(
      () => waiters('hung-up'),
      (count) => count === 2,
    );
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await until(
      () => waiters('hung-up'),
      (count) => count === 1,
    );
  });

  it('is not taken for got by a client that is told an error late', async () => {
    const { key } = (await (await lock('late')).json()) as { key: string };
    const { json } = await post('/v3/lease/grant', { TTL: '60' });
    const ID = json['ID'];
    const body = JSON.stringify({ name: base64('late'), lease: ID });
    const response = await fetchEdge('/v3/lock/lock', { method: 'POST', body });
    // It has waited for so long that the head was sent.
    expect(response.status).toBe(200);
    const text = response.text();
    await post('/v3/lease/revoke', { ID });
    await post('/v3/lock/unlock', { key });
    await expect(text).rejects.toThrow();
  });
});
