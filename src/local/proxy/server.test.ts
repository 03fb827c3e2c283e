import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { NOTHING_DONE } from '../../api/stream-call.ts';
import { limits } from '../../config.ts';
import { freePort } from '../ports.ts';
import { FakeMember } from './fake_member.ts';
import type { ProxyOptions } from './options.ts';
import { ProxyServer } from './server.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.stop()));
});

/** @param isHealthy a member that is not is asked last */
async function member(isHealthy = true): Promise<FakeMember> {
  const started = await FakeMember.start(isHealthy);
  open.push(started);
  return started;
}

async function proxyFor(
  members: readonly { readonly url: string }[],
  options: Partial<ProxyOptions> = {},
): Promise<string> {
  const port = await freePort();
  const all: ProxyOptions = {
    isReadonly: false,
    listen: [{ host: '127.0.0.1', port }],
    start: { kind: 'clients', urls: members.map(({ url }) => url) },
    dnsServers: null,
    failureWaitMs: 4_000,
    refreshIntervalMs: 30_000,
    timeouts: { dialMs: 1_000, writeMs: 5_000, readMs: 0 },
    ...options,
  };
  const server = await ProxyServer.open(all, { line: () => {}, warning: () => {} });
  open.push({ stop: () => server.close() });
  return `http://127.0.0.1:${port}`;
}

/** A first member that is asked before a second. */
async function pair() {
  const [first, second] = [await member(), await member(false)];
  return { first, second, proxy: await proxyFor([second, first]) };
}

async function answered(response: Response) {
  return { status: response.status, body: await response.text() };
}

const form = { method: 'PUT', body: new URLSearchParams({ value: 'x' }) };

describe('a request', () => {
  test('goes to a member and back, with its body and what it says', async () => {
    const only = await member();
    only.answer = (response) => {
      response.writeHead(201, { 'X-Etcd-Index': '7', 'Keep-Alive': 'timeout=1' }).end('made');
    };
    const proxy = await proxyFor([only]);
    const headers = { 'x-forwarded-for': '9.9.9.9', authorization: 'Basic x' };
    const response = await fetch(`${proxy}/v2/keys/a%2Fb?c=d`, { ...form, headers });
    expect([response.status, response.headers.get('x-etcd-index')]).toEqual([201, '7']);
    expect(await response.text()).toBe('made');
    expect(only.seen).toMatchObject([
      {
        method: 'PUT',
        url: '/v2/keys/a%2Fb?c=d',
        body: 'value=x',
        headers: {
          host: new URL(only.url).host,
          authorization: 'Basic x',
          'x-forwarded-for': '9.9.9.9, 127.0.0.1',
          'x-forwarded-host': new URL(proxy).host,
          'content-length': '7',
        },
      },
    ]);
  });

  test('goes to the next member when one cannot be reached, whatever it is', async () => {
    const { first, second, proxy } = await pair();
    await first.stop();
    expect(await answered(await fetch(`${proxy}/v2/keys/a`, form))).toMatchObject({ status: 200 });
    expect(second.seen.map(({ body }) => body)).toEqual(['value=x']);
    await first.listen();
  });

  test('that may have been carried out is not sent again', async () => {
    const { first, second, proxy } = await pair();
    first.answer = (response) => response.destroy();
    expect(await answered(await fetch(`${proxy}/v2/keys/a`, form))).toEqual({
      status: 502,
      body: '{"message":"httpproxy: unable to get response from 1 endpoint(s)"}',
    });
    expect(first.seen).toHaveLength(1);
    expect(second.seen).toEqual([]);
    const lost = await pair();
    lost.first.answer = first.answer;
    const response = await fetch(`${lost.proxy}/v3/kv/put`, { method: 'POST', body: '{}' });
    expect(response.headers.get(NOTHING_DONE[0])).toBeNull();
    expect(await response.json()).toMatchObject({
      code: 14,
      message: 'etcdserver: request timed out, possibly due to connection lost',
    });
  });

  test.each([
    ['GET', '/v2/keys/a'],
    ['POST', '/v3/kv/range'],
  ])('that changes nothing is asked of the next member: %s %s', async (method, path) => {
    const { first, second, proxy } = await pair();
    first.answer = (response) => response.destroy();
    expect(await answered(await fetch(proxy + path, { method }))).toMatchObject({ status: 200 });
    expect([first.seen.length, second.seen.length]).toEqual([1, 1]);
  });

  test('that a member has not taken goes on to the next, and back if that is no better', async () => {
    const { first, second, proxy } = await pair();
    const put = () => fetch(`${proxy}/v3/kv/put`, { method: 'POST', body: '{}' });
    const refuse = (words: string) => (response: import('node:http').ServerResponse) => {
      response.writeHead(503, [...NOTHING_DONE]).end(words);
    };
    first.answer = refuse('no leader');
    expect(await answered(await put())).toEqual({ status: 200, body: 'fine' });
    second.answer = refuse('none either');
    expect(await answered(await put())).toEqual({ status: 503, body: 'none either' });
  });

  test('that a member owes moves on when that member is found to be mute', async () => {
    const { first, second, proxy } = await pair();
    first.isMute = true;
    expect(await answered(await fetch(`${proxy}/v2/keys/a`))).toMatchObject({ status: 200 });
    expect(second.seen).toHaveLength(1);
  });

  test('without any member is answered as by etcd', async () => {
    const gone = await member();
    const proxy = await proxyFor([gone]);
    await gone.stop();
    expect((await fetch(`${proxy}/v2/keys/a`)).status).toBe(502);
    expect(await answered(await fetch(`${proxy}/v2/keys/a`))).toEqual({
      status: 503,
      body: '{"message":"httpproxy: zero endpoints currently available"}',
    });
    const v3 = await fetch(`${proxy}/v3/kv/put`, { method: 'POST', body: '{}' });
    expect([v3.status, v3.headers.get(NOTHING_DONE[0])]).toEqual([503, NOTHING_DONE[1]]);
    expect(await v3.json()).toMatchObject({
      code: 14,
      message: 'httpproxy: zero endpoints currently available',
    });
    await gone.listen();
    await expect
      .poll(async () => (await fetch(`${proxy}/x`)).status, { timeout: 10_000 })
      .toBe(200);
  });

  test('with a body beyond all bounds is refused', async () => {
    const only = await member();
    const proxy = new URL(await proxyFor([only]));
    const headers = { 'content-length': String(limits.bodyBytesMax + 1) };
    const sent = request({ host: proxy.hostname, port: proxy.port, method: 'PUT', headers });
    sent.on('error', () => {});
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    expect(await text(response)).toContain('http: request body too large');
    expect(only.seen).toEqual([]);
    sent.destroy();
  });
});

describe('a stream', () => {
  async function opened(proxy: string): Promise<IncomingMessage> {
    const [response] = (await once(get(`${proxy}/v2/keys/a?wait=true`), 'response')) as [
      IncomingMessage,
    ];
    return response;
  }

  test('begins at once, brings what comes as it comes, and ends with its client', async () => {
    const only = await member();
    let say: (chunk: string) => void = () => {};
    let isLeft = false;
    only.answer = (response) => {
      response.flushHeaders();
      say = (chunk) => response.write(chunk);
      response.on('close', () => {
        isLeft = true;
      });
    };
    const response = await opened(await proxyFor([only]));
    for (const chunk of ['one', 'two']) {
      const data = once(response, 'data');
      say(chunk);
      expect(String(await data)).toBe(chunk);
    }
    response.destroy();
    await expect.poll(() => isLeft).toBe(true);
  });

  test('breaks off where its member does: nobody takes it for whole', async () => {
    const only = await member();
    only.answer = (response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    };
    await expect(text(await opened(await proxyFor([only])))).rejects.toThrow('aborted');
  });

  test('lasts through silence, unless a time is set', async () => {
    const only = await member();
    only.answer = (response) => response.flushHeaders();
    const timeouts = { dialMs: 1_000, writeMs: 2_000, readMs: 300 };
    const bounded = await opened(await proxyFor([only], { timeouts }));
    const patient = await opened(await proxyFor([only], { timeouts: { ...timeouts, readMs: 0 } }));
    patient.on('error', () => {});
    await expect(text(bounded)).rejects.toThrow('aborted');
    // Longer than either of the times that are set.
    await sleep(2_500);
    expect(patient.destroyed).toBe(false);
    patient.destroy();
  });
});

describe('a WebSocket', () => {
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };

  function upgrade(proxy: string, path: string) {
    const { hostname: host, port } = new URL(proxy);
    const asked = request({ host, port, path, headers }).end();
    return Promise.race([
      once(asked, 'upgrade') as Promise<[IncomingMessage, Socket]>,
      once(asked, 'response') as Promise<[IncomingMessage]>,
    ]);
  }

  /** Says back what it hears. */
  const echo: FakeMember['upgraded'] = (socket, { headers: { upgrade: to } }) => {
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n`);
    socket.write('X-Accept: y\r\n\r\n');
    socket.pipe(socket);
  };

  test('is joined with a member that can be reached, until one side ends it', async () => {
    const { first, second, proxy } = await pair();
    await first.stop();
    second.upgraded = echo;
    const [response, socket] = await upgrade(proxy, '/v3/session');
    expect(response.statusCode).toBe(101);
    expect(response.headers).toMatchObject({ upgrade: 'websocket', 'x-accept': 'y' });
    for (const said of ['hello', 'again']) {
      const data = once(socket as Socket, 'data');
      socket?.write(said);
      expect(String(await data)).toBe(said);
    }
    const closed = once(socket as Socket, 'close');
    socket?.end();
    await closed;
    await first.listen();
  });

  test('that a member refuses is refused in its words', async () => {
    const only = await member();
    only.upgraded = (socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nX-Why: token\r\n\r\nno');
    const [response] = await upgrade(await proxyFor([only]), '/v3/session');
    expect([response.statusCode, response.headers['x-why']]).toEqual([401, 'token']);
    expect(await text(response)).toBe('no');
  });

  test('through a readonly proxy can only watch', async () => {
    const only = await member();
    only.upgraded = echo;
    const proxy = await proxyFor([only], { isReadonly: true });
    expect((await upgrade(proxy, '/v3/kv/put'))[0].statusCode).toBe(501);
    expect((await upgrade(proxy, '/v3/session'))[0].statusCode).toBe(501);
    const [response, socket] = await upgrade(proxy, '/v3/watch');
    expect(response.statusCode).toBe(101);
    socket?.destroy();
  });
});

describe('a readonly proxy', () => {
  test.each([
    ['GET', '/v2/keys/a', 200],
    ['POST', '/v3/kv/range', 200],
    ['POST', '/v3/watch', 200],
    ['HEAD', '/v2/keys/a', 501],
    ['PUT', '/v2/keys/a', 501],
    ['DELETE', '/v2/keys/a', 501],
    ['POST', '/v2/keys/a', 501],
    ['POST', '/v3/kv/put', 501],
    ['POST', '/v3/kv/txn', 501],
    ['POST', '/v3/kv/range/../put', 501],
  ])('answers %s %s by %i', async (method, path, status) => {
    const only = await member();
    const { hostname: host, port } = new URL(await proxyFor([only], { isReadonly: true }));
    // fetch would tidy the path.
    const sent = request({ host, port, method, path }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(status);
    expect(only.seen).toHaveLength(status === 200 ? 1 : 0);
  });
});

describe('the proxy itself', () => {
  test('says which members are available', async () => {
    const [a, b] = [await member(), await member()];
    const proxy = await proxyFor([a, b], { refreshIntervalMs: 200 });
    const shown = async () => {
      const answer = (await (await fetch(`${proxy}/v2/config/local/proxy`)).text()).trim();
      return (JSON.parse(answer) as { endpoints: string[] }).endpoints.sort();
    };
    expect(await shown()).toEqual([a.url, b.url].sort());
    await b.stop();
    await expect.poll(shown, { timeout: 5_000 }).toEqual([a.url]);
    const refused = await fetch(`${proxy}/v2/config/local/proxy`, { method: 'POST' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET']);
    await b.listen();
  });

  test('counts as etcd’s proxy', async () => {
    const only = await member();
    const proxy = await proxyFor([only]);
    await fetch(`${proxy}/v2/keys/x`);
    await fetch(`${proxy}/v2/keys/x`, { method: 'PATCH' });
    const metrics = await (await fetch(`${proxy}/metrics`)).text();
    expect(metrics).toContain('etcd_proxy_requests_total{method="GET"} 1\n');
    expect(metrics).toContain('etcd_proxy_handled_total{code="200",method="other"} 1\n');
    expect(metrics).toContain('etcd_proxy_handling_duration_seconds_count{method="GET"} 1\n');
  });
});
