import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { methodOf } from '../../api/methods.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { FakeOutlet } from './fake_outlet.ts';
import { ANYBODY, FakeMember } from './fake_service.ts';
import { Streams } from './streams.ts';

const WATCH = must(methodOf('/v3/watch'), 'a method');
const OBSERVE = must(methodOf('/v3/election/observe'), 'a method');
const SNAPSHOT = must(methodOf('/v3/maintenance/snapshot'), 'a method');
const CREATE = '{"create_request":{"key":"YQ=="}}';

function setUp() {
  const member = new FakeMember();
  const streams = new Streams(member);
  const open = (context: CallContext = ANYBODY, method = WATCH) => {
    const outlet = new FakeOutlet();
    const stream = streams.open(method, context, outlet);
    outlet.onCutOff = () => stream.gone();
    return { stream, outlet };
  };
  return { member, service: member.service, streams, open };
}

describe('a stream', () => {
  it('hands over the requests of a text one by one, and answers as they come', () => {
    const { service, open, member } = setUp();
    const { stream, outlet } = open({ ...ANYBODY, token: 'abc' });
    service.onReceive = () => service.send(7n);
    stream.receive(`${CREATE}\n ${CREATE}{"progress_request":{}}\n`);
    stream.halfClosed();
    expect(service.told).toEqual([
      'open abc',
      'receive createRequest',
      'receive createRequest',
      'receive progressRequest',
      'halfClosed',
    ]);
    expect(outlet.told).toEqual(Array(3).fill('{"watch_id":"7"}'));
    service.sink.end();
    expect(outlet.told.at(-1)).toBe('end');
    expect(service.told.at(-1)).toBe('closed');
    expect(member.calls).toEqual(['started /v3/watch', 'handled /v3/watch 0']);
  });

  it('gets one request where the method takes one, and an empty one from an empty text', () => {
    const { service, open } = setUp();
    const { stream, outlet } = open(ANYBODY, OBSERVE);
    stream.receive('{"name":"YWI="}{"name":"YQ=="}');
    expect(service.told).toEqual(['receive 2']);
    expect(outlet.told).toEqual(['{}']);
    open(ANYBODY, OBSERVE).stream.receive('');
    expect(service.told.at(-1)).toBe('receive 0');
  });

  it('is closed once, whoever ended it, and nothing is called after that', () => {
    const { service, streams, open } = setUp();
    const { stream, outlet } = open();
    service.sink.drained(() => service.told.push('drained'));
    service.onReceive = () => service.sink.end(EtcdError.of('permissionDenied'));
    stream.receive(CREATE + CREATE);
    stream.halfClosed();
    stream.gone();
    service.send(1n);
    service.sink.end();
    outlet.drain();
    expect(service.told).toEqual(['open null', 'receive createRequest', 'closed']);
    expect(outlet.told).toEqual(['end 7 etcdserver: permission denied']);
    expect(streams.count).toBe(0);
  });

  it('whose client is gone counts as canceled', () => {
    const { service, member, open } = setUp();
    open().stream.gone();
    expect(service.told).toEqual(['open null', 'closed']);
    expect(member.calls.at(-1)).toBe('handled /v3/watch 1');
  });

  it('ends with what its service throws', () => {
    const { service, open } = setUp();
    const { stream, outlet } = open();
    service.onReceive = () => {
      throw EtcdError.of('compacted');
    };
    stream.receive(CREATE);
    expect(outlet.told).toEqual(['end 11 etcdserver: mvcc: required revision has been compacted']);
    expect(service.told.at(-1)).toBe('closed');
  });

  it('that its service ends while it opens has its session closed all the same', () => {
    const { service, open } = setUp();
    service.onOpen = (sink) => sink.end(EtcdError.of('noLeader'));
    expect(open().outlet.told).toEqual(['end 14 etcdserver: no leader']);
    expect(service.told).toEqual(['open null', 'closed']);
  });

  it('may not bring any number of requests at once', () => {
    const { open, service } = setUp();
    const { stream, outlet } = open();
    stream.receive('{}'.repeat(limits.streamRequestsMax + 1));
    expect(outlet.told).toEqual(['end 3 etcdserver: too many requests in one message']);
    expect(service.told).toHaveLength(limits.streamRequestsMax + 2);
  });
});

describe('a request that cannot be read', () => {
  it('is told as etcd tells it when it is the first', () => {
    const { open } = setUp();
    const { stream, outlet } = open();
    stream.receive('hello');
    expect(outlet.told).toEqual([
      "malformed 2 invalid character 'h' looking for beginning of value",
    ]);
    expect(stream.over).toBe(true);
  });

  it('keeps its code where there is one request', () => {
    const { open } = setUp();
    const { stream, outlet } = open(ANYBODY, OBSERVE);
    stream.receive('{');
    expect(outlet.told).toEqual(['malformed 3 unexpected EOF']);
  });

  it('ends the stream when others came before', () => {
    const { open, service } = setUp();
    const { stream, outlet } = open();
    stream.receive(`${CREATE}{`);
    expect(outlet.told).toEqual(['end 2 unexpected EOF']);
    expect(service.told.at(-1)).toBe('closed');
  });
});

describe('a stream is refused', () => {
  it('when the method is not served', () => {
    const { outlet } = setUp().open(ANYBODY, SNAPSHOT);
    expect(outlet.told).toEqual(['end 12 /v3/maintenance/snapshot is not served yet']);
  });

  it('when there are too many', () => {
    const { member, open, streams } = setUp();
    for (let i = 0; i < member.streamsMax; i++) open();
    expect(open().outlet.told).toEqual(['end 8 etcdserver: too many requests']);
    expect(streams.count).toBe(member.streamsMax);
  });

  it('but not one of 5,000, which a member must serve', () => {
    const { member, open, streams } = setUp();
    member.streamsMax = limits.streamsMax;
    for (let i = 0; i < 5_000; i++) open();
    expect(streams.count).toBe(5_000);
  });

  it('when its caller is', () => {
    const { member, open, service } = setUp();
    member.admit = () => {
      throw EtcdError.of('invalidAuthToken');
    };
    expect(open().outlet.told).toEqual(['end 16 etcdserver: invalid auth token']);
    expect(service.told).toEqual([]);
  });
});

describe('while it is not known who calls', () => {
  it('requests are put off', async () => {
    const { member, open, service } = setUp();
    member.admit = async (_method, context) => ({ ...context, token: 'known' });
    const { stream } = open();
    stream.receive(CREATE);
    stream.halfClosed();
    expect(service.told).toEqual([]);
    await Promise.resolve();
    expect(service.told).toEqual(['open known', 'receive createRequest', 'halfClosed']);
  });

  it('the client may go', async () => {
    const { member, open, service } = setUp();
    member.admit = async (_method, context) => context;
    open().stream.gone();
    await Promise.resolve();
    expect(service.told).toEqual([]);
  });

  it('it may turn out that nobody does', async () => {
    const { member, open } = setUp();
    member.admit = () => Promise.reject(EtcdError.of('invalidAuthToken'));
    const { outlet } = open();
    await Promise.resolve();
    await Promise.resolve();
    expect(outlet.told).toEqual(['end 16 etcdserver: invalid auth token']);
  });
});

describe('slow readers', () => {
  it('are cut off when they are too far behind', () => {
    const { open, service } = setUp();
    const { outlet } = open();
    outlet.bufferedBytes = limits.streamBufferBytesMax;
    service.send(1n);
    expect(outlet.told.at(-1)).not.toBe('cut off');
    outlet.bufferedBytes++;
    service.send(2n);
    expect(outlet.told.at(-1)).toBe('cut off');
    expect(service.told.at(-1)).toBe('closed');
  });

  it('are cut off, the furthest first, when all together are', () => {
    const { open, service } = setUp();
    const share = limits.streamsBufferBytesMax / 4;
    const outlets = [1, 1.5, 1, 1.1].map((shares) => {
      const { outlet } = open();
      outlet.bufferedBytes = shares * share;
      return outlet;
    });
    service.send(1n);
    expect(outlets.map(({ told }) => told.at(-1))).toEqual([
      undefined,
      'cut off',
      undefined,
      '{"watch_id":"1"}',
    ]);
  });

  it('are waited for by a service that wants to', () => {
    const { open, service } = setUp();
    const { outlet } = open();
    service.sink.drained(() => service.told.push('drained'));
    outlet.drain();
    expect(service.told).toEqual(['open null', 'drained']);
  });
});

describe('with time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const needy: CallContext = { ...ANYBODY, requireLeader: true };

  it("the client's deadline ends a stream, and one that has passed does at once", () => {
    const { open, service } = setUp();
    const { outlet } = open({ ...ANYBODY, timeoutMs: 100 });
    vi.advanceTimersByTime(99);
    expect(outlet.told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(outlet.told).toEqual(['end 4 context deadline exceeded']);
    expect(open({ ...ANYBODY, timeoutMs: -1 }).outlet.told).toHaveLength(1);
    expect(service.told).toEqual(['open null', 'closed']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a stream that requires a leader is refused without one', () => {
    const { member, open } = setUp();
    member.leaderKnown = false;
    expect(open(needy).outlet.told).toEqual(['end 14 etcdserver: no leader']);
    expect(open().outlet.told).toEqual([]);
  });

  it('it ends three election timeouts after the leader was lost, and others do not', () => {
    const { member, streams, open } = setUp();
    const [needs, does] = [open(needy).outlet, open().outlet];
    member.leaderKnown = false;
    streams.leaderChanged();
    vi.advanceTimersByTime(2_000);
    streams.leaderChanged();
    vi.advanceTimersByTime(999);
    expect(needs.told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(needs.told).toEqual(['end 14 etcdserver: no leader']);
    expect(does.told).toEqual([]);
  });

  it('it goes on when there is a leader again in time', () => {
    const { member, streams, open } = setUp();
    const { outlet } = open(needy);
    member.leaderKnown = false;
    streams.leaderChanged();
    vi.advanceTimersByTime(2_999);
    member.leaderKnown = true;
    streams.leaderChanged();
    vi.advanceTimersByTime(10_000);
    expect(outlet.told).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a member that stops ends all and leaves no timer', () => {
    const { streams, open, service } = setUp();
    const { outlet } = open({ ...ANYBODY, timeoutMs: 100 });
    streams.stop();
    expect(outlet.told).toEqual(['end 14 etcdserver: server stopped']);
    expect(service.told.at(-1)).toBe('closed');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a resumed stream', () => {
  it('goes on from what was saved', () => {
    const { streams, service } = setUp();
    const outlet = new FakeOutlet();
    const stream = streams.resume(WATCH, ANYBODY, outlet, { revision: 3 });
    stream.receive(CREATE);
    expect(service.told).toEqual(['resume {"revision":3}', 'receive createRequest']);
  });

  it('ends when its service cannot resume', () => {
    const { streams } = setUp();
    const outlet = new FakeOutlet();
    streams.resume(OBSERVE, ANYBODY, outlet, {});
    expect(outlet.told).toEqual(['end 14 etcdserver: server stopped']);
  });

  it('tells when it has changed', () => {
    const { streams, service } = setUp();
    let changes = 0;
    const stream = streams.resume(WATCH, ANYBODY, new FakeOutlet(), {}, () => changes++);
    stream.receive(CREATE);
    service.send(1n);
    service.sink.changed();
    expect(changes).toBe(3);
    service.saved = { revision: 4 };
    expect(stream.save()).toEqual({ revision: 4 });
    stream.gone();
    service.sink.changed();
    expect(stream.save()).toBeNull();
    expect(changes).toBe(3);
  });
});
