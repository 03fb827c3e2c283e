import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { PutRequestSchema, RangeRequestSchema, RangeResponseSchema } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { concatBytes, textOf, utf8 } from '../lib/bytes.ts';
import { FakeMembers, OK } from './fake_members.ts';

const RANGE = '/etcdserverpb.KV/Range';
const RANGED = { ...OK, body: '{"header":{"revision":"7"},"count":"3"}' };
const NOT_FOUND = '{"error":"no such thing","code":5,"message":"no such thing"}';

function members(reply = RANGED): FakeMembers {
  const found = new FakeMembers();
  for (const name of ['m1', 'm2', 'm3']) found.behave(name, () => reply);
  return found;
}

function send(to: FakeMembers, path: string, type: string, body: BodyInit, extra = {}) {
  return to.fetch(path, { method: 'POST', body, headers: { 'content-type': type, ...extra } });
}

const rangeOf = (key: string): Uint8Array =>
  toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: utf8(key) }));

function framed(message: Uint8Array, flags = 0): Uint8Array {
  const prefix = new Uint8Array(5);
  prefix[0] = flags;
  new DataView(prefix.buffer).setUint32(1, message.length);
  return concatBytes([prefix, message]);
}

describe('Connect', () => {
  it('is answered in JSON', async () => {
    const to = members();
    const answer = await send(to, RANGE, 'application/json', '{"key":"Zm9v"}');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.text()).toBe(RANGED.body);
    expect(to.seen).toMatchObject([{ path: '/v3/kv/range', body: '{"key":"Zm9v"}' }]);
  });

  it('is answered in protobuf', async () => {
    const to = members();
    const answer = await send(to, RANGE, 'application/proto', rangeOf('foo').slice());
    expect(answer.headers.get('content-type')).toBe('application/proto');
    const message = fromBinary(RangeResponseSchema, new Uint8Array(await answer.arrayBuffer()));
    expect(message).toMatchObject({ count: 3n, header: { revision: 7n } });
    expect(JSON.parse(to.seen[0]?.body ?? '')).toMatchObject({ key: 'Zm9v' });
  });

  it.each([
    [5, 404, 'not_found'],
    [1, 499, 'canceled'],
    [9, 400, 'failed_precondition'],
    [14, 503, 'unavailable'],
    [99, 500, 'unknown'],
  ])('fails with the code %d as %d %s', async (code, status, name) => {
    const body = NOT_FOUND.replace('"code":5', `"code":${code}`);
    for (const type of ['application/json', 'application/proto']) {
      const to = members({ ...OK, status: 500, body });
      const answer = await send(to, RANGE, type, '');
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(await answer.json()).toEqual({ code: name, message: 'no such thing' });
    }
  });

  it('hands on the token, the deadline, and whether a leader is wanted', async () => {
    const to = members();
    const headers = { authorization: 'Bearer t.1', 'connect-timeout-ms': '250', hasleader: 'true' };
    await send(to, RANGE, 'application/json', '{}', headers);
    const context = { token: 't.1', timeoutMs: 250, requireLeader: true };
    expect(to.seen).toMatchObject([{ context }]);
    const refused = await send(to, RANGE, 'application/json', '{}', { 'connect-timeout-ms': '1s' });
    expect(await refused.json()).toMatchObject({ code: 'invalid_argument' });
  });

  it('is told what is not served: streams, compression, what is no message', async () => {
    const to = members();
    const stream = await send(to, '/etcdserverpb.Watch/Watch', 'application/json', '{}');
    expect(stream.status).toBe(501);
    expect(await stream.json()).toMatchObject({ code: 'unimplemented' });
    const packed = { 'content-encoding': 'gzip' };
    expect((await send(to, RANGE, 'application/proto', '', packed)).status).toBe(501);
    const broken = await send(to, RANGE, 'application/proto', Uint8Array.of(0xff));
    expect(await broken.json()).toMatchObject({ code: 'internal' });
    const large = new Uint8Array(limits.bodyBytesMax + 1);
    expect((await send(to, RANGE, 'application/proto', large)).status).toBe(429);
    expect(to.seen).toEqual([]);
  });

  it('waits for a lock where the member can notice that nobody does any more', async () => {
    const to = members({ ...OK, body: '{"key":"bC8x"}' });
    const answer = await send(to, '/v3lockpb.Lock/Lock', 'application/json', '{"name":"bA=="}');
    expect(await answer.json()).toEqual({ key: 'bC8x' });
    expect(to.seen).toMatchObject([{ path: '/v3/lock/lock', delivery: 'wait' }]);
  });
});

describe('gRPC-Web', () => {
  it('is answered by a message and what are trailers elsewhere', async () => {
    for (const type of ['application/grpc-web', 'application/grpc-web+proto']) {
      const to = members();
      const answer = await send(to, RANGE, type, framed(rangeOf('foo')).slice());
      expect(answer.headers.get('content-type')).toBe('application/grpc-web+proto');
      const body = new Uint8Array(await answer.arrayBuffer());
      const size = new DataView(body.buffer).getUint32(1);
      const message = fromBinary(RangeResponseSchema, body.subarray(5, 5 + size));
      expect(message.count).toBe(3n);
      const trailers = utf8('grpc-status:0\r\n');
      expect(body.subarray(5 + size)).toEqual(framed(trailers, 0x80));
    }
  });

  it('fails in trailers', async () => {
    const to = members({ ...OK, status: 404, body: NOT_FOUND });
    const answer = await send(to, RANGE, 'application/grpc-web', framed(rangeOf('x')).slice());
    expect(answer.status).toBe(200);
    const body = new Uint8Array(await answer.arrayBuffer());
    expect(body[0]).toBe(0x80);
    expect(textOf(body.subarray(5))).toBe('grpc-status:5\r\ngrpc-message:no%20such%20thing\r\n');
  });

  it('is refused when it is not one message', async () => {
    const request = framed(rangeOf('x'));
    const twice = concatBytes([request, request]);
    const bodies = [new Uint8Array(0), request.subarray(0, 6), twice, framed(rangeOf('x'), 1)];
    for (const body of bodies) {
      const to = members();
      const answer = await send(to, RANGE, 'application/grpc-web', body.slice());
      expect(await answer.text()).toMatch(/grpc-status:1[23]\r\n/);
      expect(to.seen).toEqual([]);
    }
  });
});

describe('pages', () => {
  it('may send and read what the protocols need', async () => {
    const to = members();
    const asked = await to.fetch(RANGE, { method: 'OPTIONS' });
    const allowed = asked.headers.get('access-control-allow-headers') ?? '';
    for (const name of [
      'connect-protocol-version',
      'x-grpc-web',
      'grpc-timeout',
      'authorization',
    ]) {
      expect(allowed.split(', ')).toContain(name);
    }
    const answer = await send(to, RANGE, 'application/json', '{}');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-expose-headers')).toContain('grpc-status');
  });

  it('of other origins may not, where ETCD_CORS says so', async () => {
    const to = new FakeMembers({ ETCD_CORS: 'https://mine.example' });
    const headers = { origin: 'https://other.example' };
    const answer = await send(to, RANGE, 'application/json', '{}', headers);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('get what they got before where it is no call', async () => {
    const to = members();
    expect((await send(to, RANGE, 'text/plain', 'x')).status).toBe(404);
    expect((await send(to, '/etcdserverpb.KV/None', 'application/json', '{}')).status).toBe(404);
    expect((await to.fetch(RANGE)).status).toBe(404);
    expect(to.seen).toEqual([]);
  });
});

it('puts bytes that are no text', async () => {
  const to = members({ ...OK, body: '{}' });
  const value = Uint8Array.of(0, 255, 128);
  const message = toBinary(PutRequestSchema, create(PutRequestSchema, { key: utf8('k'), value }));
  await send(to, '/etcdserverpb.KV/Put', 'application/proto', message.slice());
  expect(JSON.parse(to.seen[0]?.body ?? '')).toMatchObject({ value: 'AP+A' });
});
