import type { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type CallOptions, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Code, EtcdError } from '../api/error.ts';
import { WatchRequestSchema, WatchResponseSchema } from '../api/gen/rpc_pb.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { limits } from '../config.ts';
import { freePort, HOST } from '../local/ports.ts';
import { Bridge } from './bridge.ts';
import { FakeCluster } from './fake_cluster.ts';

const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const asBuffer = (bytes: Buffer): Buffer => bytes;

let cluster: FakeCluster;
let bridge: Bridge;
let client: Client;

beforeEach(async () => {
  cluster = new FakeCluster();
  const port = await freePort();
  bridge = new Bridge({
    host: HOST,
    port,
    tls: null,
    upstream: cluster,
    http1: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\npages'),
    isHealthy: async () => true,
  });
  await bridge.listen();
  client = new Client(`${HOST}:${port}`, credentials.createInsecure());
});
afterEach(() => {
  client.close();
  bridge.close();
});

/** A unary call, and what comes of it. */
function call(path: string, bytes: Uint8Array, metadata = new Metadata(), options?: CallOptions) {
  let cancel = (): void => undefined;
  const answer = new Promise<Buffer | ServiceError>((resolve) => {
    const done = (error: ServiceError | null, value?: Buffer): void =>
      resolve(error ?? value ?? Buffer.alloc(0));
    const args = [path, asIs, asBuffer, bytes, metadata, options ?? {}, done] as const;
    const under = client.makeUnaryRequest(...args);
    cancel = () => under.cancel();
  });
  return { answer, cancel: () => cancel() };
}

/** The error that ends a stream. */
function endOf(stream: EventEmitter): Promise<ServiceError> {
  return new Promise((resolve) => stream.on('error', resolve));
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 500) throw new Error(`not within 5 s: ${what}`);
    await sleep(10);
  }
}

const opened = (): Promise<void> => until('the call', () => cluster.calls.length > 0);

describe('a unary call', () => {
  it('goes through with its metadata and its deadline, byte by byte', async () => {
    const metadata = new Metadata();
    metadata.set('token', 'secret.1');
    metadata.set('hasleader', 'true');
    const deadline = Date.now() + 60_000;
    const request = Uint8Array.of(1, 2, 3);
    const { answer } = call('/etcdserverpb.KV/Range', request, metadata, { deadline });
    await opened();
    const { method, context, requests } = cluster.last;
    expect(method.path).toBe('/v3/kv/range');
    expect(requests.map((bytes) => [...bytes])).toEqual([[1, 2, 3]]);
    expect(context).toMatchObject({ token: 'secret.1', requireLeader: true });
    expect(context.timeoutMs).toBeGreaterThan(30_000);
    expect(context.timeoutMs).toBeLessThanOrEqual(60_000);
    cluster.last.message(Uint8Array.of(4, 5));
    cluster.last.end(null);
    expect(await answer).toEqual(Buffer.of(4, 5));
    expect(bridge.metrics.render()).toContain(
      'grpc_service="etcdserverpb.KV",grpc_method="Range",grpc_code="OK"} 1',
    );
  });

  it('has neither where the client says nothing, and takes `authorization` for a token', async () => {
    void call('/etcdserverpb.KV/Put', new Uint8Array(0));
    await opened();
    expect(cluster.last.context).toEqual({ token: null, timeoutMs: null, requireLeader: false });
    const metadata = new Metadata();
    metadata.set('authorization', 'secret.2');
    void call('/etcdserverpb.KV/Put', new Uint8Array(0), metadata);
    await until('the second', () => cluster.calls.length === 2);
    expect(cluster.last.context.token).toBe('secret.2');
  });

  it("fails with etcd's code and words", async () => {
    const { answer } = call('/etcdserverpb.KV/Put', new Uint8Array(0));
    await opened();
    cluster.last.end(EtcdError.of('noLeader'));
    expect(await answer).toMatchObject({ code: 14, details: 'etcdserver: no leader' });
  });

  it('ends at its deadline, and is given up', async () => {
    const deadline = Date.now() + 2_000;
    const { answer } = call('/etcdserverpb.KV/Put', new Uint8Array(0), undefined, { deadline });
    // One that ends before it has come this far is given up by the client, and nobody else.
    await opened();
    expect(await answer).toMatchObject({ code: Code.deadlineExceeded });
    await until('it is given up', () => cluster.last.cancelled);
  });

  it('is given up when its client cancels it', async () => {
    const { answer, cancel } = call('/v3lockpb.Lock/Lock', new Uint8Array(0));
    await opened();
    cancel();
    expect(await answer).toMatchObject({ code: Code.canceled });
    await until('it is given up', () => cluster.last.cancelled);
  });

  it('is refused when nobody serves it, or it is too large', async () => {
    const unknown = await call('/etcdserverpb.KV/Nonsense', new Uint8Array(0)).answer;
    expect(unknown).toMatchObject({ code: Code.unimplemented });
    const large = new Uint8Array(limits.messageBytesMax + 1);
    const refused = await call('/etcdserverpb.KV/Put', large).answer;
    expect(refused).toMatchObject({ code: Code.resourceExhausted });
    expect(cluster.calls.map(({ requests }) => requests)).toEqual([[]]);
    await until('it is given up', () => cluster.last.cancelled);
  });
});

describe('a stream whose client reads slowly', () => {
  const chunk = new Uint8Array(256 * 1024);

  it('is held back at its source, and goes on', async () => {
    const path = '/v3electionpb.Election/Observe';
    const stream = client.makeServerStreamRequest(path, asIs, asBuffer, chunk.subarray(0, 1));
    stream.on('error', () => undefined);
    await opened();
    const source = cluster.last;
    let sent = 0;
    for (; !source.paused && sent < 1_000; sent++) source.message(chunk);
    expect(source.paused).toBe(true);
    expect(sent * chunk.length).toBeLessThan(2 * bridgeLimits.highWaterBytes);
    let received = 0;
    stream.on('data', () => received++);
    await until('all has arrived', () => received === sent && !source.paused);
    stream.cancel();
    await until('it is given up', () => source.cancelled);
  });

  it('is ended where others share the source', async () => {
    const stream = client.makeBidiStreamRequest('/etcdserverpb.Watch/Watch', asIs, asBuffer);
    const ended = endOf(stream);
    const createRequest = { key: Uint8Array.of(1) };
    const requestUnion = { case: 'createRequest', value: createRequest } as const;
    stream.write(toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion })));
    await opened();
    const source = cluster.last;
    await until('the watch is asked for', () => source.requests.length > 0);
    const tell = (fields: object): void => {
      const response = create(WatchResponseSchema, { watchId: 1n, ...fields });
      source.message(toBinary(WatchResponseSchema, response));
    };
    tell({ created: true });
    const value = new Uint8Array(2 * 1024 * 1024);
    // It takes none of that.
    stream.pause();
    for (let bytes = 0; bytes < 2 * bridgeLimits.bufferBytesMax; bytes += value.length) {
      tell({ events: [{ kv: { key: Uint8Array.of(1), value } }] });
      expect(source.paused).toBe(false);
    }
    await until('the source is not needed any more', () => source.cancelled);
    // What it was sent before comes first.
    stream.resume();
    expect(await ended).toMatchObject({
      code: Code.unavailable,
      details: 'edgetcd: the client does not read what it asked for',
    });
    expect(bridge.metrics.render()).toContain('edgetcd_bridge_streams 0');
  });
});

describe('the port', () => {
  it('speaks HTTP/1 with those who do', async () => {
    const address = client.getChannel().getTarget().replace('dns:', '');
    const answer = await fetch(`http://${address}/`);
    expect(await answer.text()).toBe('pages');
  });

  it('answers a watch that is no request, and lives on', async () => {
    const stream = client.makeBidiStreamRequest('/etcdserverpb.Watch/Watch', asIs, asBuffer);
    const ended = endOf(stream);
    stream.write(Uint8Array.of(0xff));
    expect(await ended).toMatchObject({ code: Code.internal });
    const { answer } = call('/etcdserverpb.KV/Range', new Uint8Array(0));
    await until('the call', () => cluster.calls.length > 0);
    cluster.last.message(toBinary(WatchResponseSchema, create(WatchResponseSchema)));
    cluster.last.end(null);
    expect(fromBinary(WatchResponseSchema, (await answer) as Buffer).watchId).toBe(0n);
  });
});
