import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallContext } from '../api/call.ts';
import { EtcdError } from '../api/error.ts';
import { WatchRequestSchema } from '../api/gen/rpc_pb.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { utf8 } from '../lib/bytes.ts';
import { FakeClient, FakeUpstream } from './fake_upstream.ts';
import { WatchHubs } from './hubs.ts';
import { WatchStream } from './watch_stream.ts';

const NOBODY: CallContext = { token: null, timeoutMs: null, requireLeader: false };

let upstream: FakeUpstream;
let hubs: WatchHubs;
beforeEach(() => {
  vi.useFakeTimers();
  upstream = new FakeUpstream();
  hubs = new WatchHubs(upstream);
});
afterEach(() => vi.useRealTimers());

function connect(context = NOBODY) {
  const client = new FakeClient();
  const stream = new WatchStream(hubs, context, client);
  const send = (requestUnion: Parameters<typeof request>[0]) =>
    stream.receive(request(requestUnion));
  return {
    told: client.told,
    client,
    close: () => stream.close(),
    watch: (key: string, fields: { startRevision?: bigint; watchId?: bigint } = {}) =>
      send({ case: 'createRequest', value: { key: utf8(key), ...fields } }),
    cancel: (watchId: bigint) => send({ case: 'cancelRequest', value: { watchId } }),
    progress: () => send({ case: 'progressRequest', value: {} }),
  };
}

function request(
  requestUnion:
    | {
        case: 'createRequest';
        value: { key: Uint8Array; startRevision?: bigint; watchId?: bigint };
      }
    | { case: 'cancelRequest'; value: { watchId: bigint } }
    | { case: 'progressRequest'; value: object },
): Uint8Array {
  return toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion }));
}

describe('watches of the present', () => {
  it('are asked for once, and told to all', () => {
    const [a, b] = [connect(), connect()];
    a.watch('k');
    b.watch('k');
    const call = upstream.call(0);
    expect(call.asked).toEqual(['create 1']);
    call.answer(5, { watchId: 1n, created: true });
    call.event(6, 1n);
    expect(a.told).toEqual(['0@5 created', '0@6 event 6']);
    expect(b.told).toEqual(a.told);
    expect(hubs.sharedCount).toBe(1);
  });

  it('begin for a newcomer where the others have got to, and not before', () => {
    const [a, b] = [connect(), connect()];
    a.watch('k');
    const call = upstream.call(0);
    call.answer(5, { watchId: 1n, created: true });
    b.watch('k');
    expect(call.asked).toEqual(['create 1', 'progress']);
    // Under way when the newcomer came: it had been done before its watch was made.
    call.event(7, 1n);
    call.answer(8, { watchId: -1n });
    call.event(9, 1n);
    expect(a.told).toEqual(['0@5 created', '0@7 event 7', '0@9 event 9']);
    expect(b.told).toEqual(['0@8 created', '0@9 event 9']);
  });

  it('wait for an answer to a question that was asked after they came', () => {
    const [a, b, c] = [connect(), connect(), connect()];
    a.watch('k');
    const call = upstream.call(0);
    call.answer(5, { watchId: 1n, created: true });
    b.watch('k');
    c.watch('k');
    expect(call.asked).toEqual(['create 1', 'progress']);
    call.answer(6, { watchId: -1n });
    expect(b.told).toEqual(['0@6 created']);
    expect(c.told).toEqual([]);
    call.event(7, 1n);
    call.answer(7, { watchId: -1n });
    expect(c.told).toEqual(['0@7 created']);
  });

  it('differ by token, and by anything that is asked', () => {
    const [a, b, c] = [connect(), connect({ ...NOBODY, token: 'alice' }), connect()];
    a.watch('k');
    b.watch('k');
    c.watch('other');
    expect(upstream.calls.map(({ asked }) => asked)).toEqual([
      ['create 1', 'create 2'],
      ['create 1'],
    ]);
    expect(upstream.call(1).context.token).toBe('alice');
  });

  it('are given back when the last one has left', () => {
    const [a, b, c] = [connect(), connect(), connect()];
    a.watch('k');
    b.watch('k');
    c.watch('other');
    const call = upstream.call(0);
    call.answer(5, { watchId: 1n, created: true });
    call.answer(5, { watchId: 2n, created: true });
    a.cancel(0n);
    expect(a.told.at(-1)).toBe('0@5 canceled');
    expect(call.asked).toHaveLength(2);
    b.close();
    expect(call.asked.at(-1)).toBe('cancel 1');
    c.close();
    expect(call.cancelled).toBe(true);
    expect(hubs.sharedCount).toBe(0);
    connect().watch('k');
    expect(upstream.call(1).asked).toEqual(['create 1']);
  });

  it('that are refused are refused to all', () => {
    const [a, b] = [connect(), connect()];
    a.watch('secret');
    b.watch('secret');
    const cancelReason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    upstream.call(0).answer(5, { watchId: -1n, created: true, canceled: true, cancelReason });
    expect(a.told).toEqual([`-1@5 created canceled ${cancelReason}`]);
    expect(b.told).toEqual(a.told);
  });

  it('get a source of their own when the shared one does not let them in', () => {
    const [a, b] = [connect(), connect()];
    a.watch('k');
    upstream.call(0).answer(5, { watchId: 1n, created: true });
    b.watch('k');
    vi.advanceTimersByTime(bridgeLimits.joinMs);
    const own = upstream.call(1);
    expect(own.asked).toEqual(['create 0']);
    own.answer(9, { watchId: 0n, created: true });
    own.event(10, 0n);
    upstream.call(0).event(10, 1n);
    expect(b.told).toEqual(['0@9 created', '0@10 event 10']);
  });

  it('end with the way to the cluster, for everybody', () => {
    const [a, b] = [connect(), connect()];
    a.watch('k');
    b.watch('k');
    upstream.call(0).end(EtcdError.of('timeoutDueToConnectionLost'));
    const end = 'end etcdserver: request timed out, possibly due to connection lost';
    expect([a.told, b.told]).toEqual([[end], [end]]);
  });
});

describe('watches of the past', () => {
  it('go through as they are, in a stream of their own', () => {
    const a = connect();
    a.watch('k', { startRevision: 3n });
    a.watch('k');
    const own = upstream.call(0);
    expect(own.asked).toEqual(['create 0']);
    own.answer(9, { watchId: 0n, created: true });
    own.event(9, 0n);
    upstream.call(1).answer(9, { watchId: 1n, created: true });
    expect(a.told).toEqual(['0@9 created', '0@9 event 9', '1@9 created']);
    a.close();
    expect(own.cancelled).toBe(true);
  });

  it('are held back while their client does not read', () => {
    const a = connect();
    a.watch('k', { startRevision: 3n });
    const own = upstream.call(0);
    a.client.pendingBytes = bridgeLimits.highWaterBytes + 1;
    own.event(4, 0n);
    expect(own.paused).toBe(true);
    a.client.read();
    expect(own.paused).toBe(false);
  });
});

describe('ids', () => {
  it('are etcd’s: from 0, without those that clients choose, none twice at once', () => {
    const a = connect();
    a.watch('one', { watchId: 1n });
    a.watch('zero');
    a.watch('two');
    a.watch('again', { watchId: 2n });
    for (const id of [1n, 2n, 3n]) upstream.call(0).answer(5, { watchId: id, created: true });
    expect(a.told).toEqual([
      '-1@- created canceled mvcc: duplicate watch ID provided on the WatchStream',
      '1@5 created',
      '0@5 created',
      '2@5 created',
    ]);
  });
});

describe('progress', () => {
  it('is not told to who has no watch', () => {
    const a = connect();
    a.progress();
    expect(upstream.calls).toEqual([]);
  });

  it('counts for all watches of the client', () => {
    const a = connect();
    a.watch('k', { startRevision: 3n });
    a.watch('k');
    const [own, shared] = [upstream.call(0), upstream.call(1)];
    own.answer(9, { watchId: 0n, created: true });
    shared.answer(9, { watchId: 1n, created: true });
    a.progress();
    expect(own.asked.at(-1)).toBe('progress');
    own.answer(12, { watchId: -1n });
    shared.event(10, 1n);
    shared.answer(11, { watchId: -1n });
    // Shared watches are at 11, and so is what can be said of all.
    expect(a.told.slice(2)).toEqual(['1@10 event 10', '-1@11']);
  });
});
