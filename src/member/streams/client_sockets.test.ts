import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallReply } from '../../api/call.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { utf8 } from '../../lib/bytes.ts';
import { Sessions } from '../session/sessions.ts';
import { ClientSockets } from './client_sockets.ts';
import { ANYBODY, FakeMember } from './fake_service.ts';
import { SocketOutlet } from './socket_outlet.ts';
import { Streams } from './streams.ts';

const CREATE = '{"create_request":{"key":"YQ=="}}';

/** A WebSocket with what hibernation adds to it. */
class FakeSocket {
  readonly told: string[] = [];
  attachment: string | null = null;

  send(text: string): void {
    this.told.push(text);
  }

  close(code: number, reason: string): void {
    this.told.push(`close ${code} ${reason}`);
  }

  serializeAttachment(value: unknown): void {
    const text = JSON.stringify(value);
    if (text.length > 16_384) throw new Error('too large');
    this.attachment = text;
  }

  deserializeAttachment(): unknown {
    return this.attachment === null ? null : JSON.parse(this.attachment);
  }

  get webSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}

/** The platform: it keeps sockets from one instance of the member to the next. */
class Platform {
  readonly sockets: FakeSocket[] = [];

  acceptWebSocket(): void {}

  getWebSockets(): WebSocket[] {
    return this.sockets.map(({ webSocket }) => webSocket);
  }

  /** An instance of the member, which runs unless told otherwise. */
  instance({ running = true } = {}) {
    const member = new FakeMember();
    const sockets = new ClientSockets(this);
    const calls: { body: string; signal: AbortSignal; answer: (reply: string) => void }[] = [];
    const streams = new Streams(member);
    const identity = () => ({ clusterId: 1n, memberId: 2n, leaderId: 2n });
    const start = () =>
      sockets.start({
        streams,
        sessions: new Sessions({ begin: () => {} }, streams, identity),
        nowMs: () => member.now,
        call: (_path, body, _context, signal) =>
          new Promise<CallReply>((resolve) => {
            const answer = (text: string) =>
              resolve({ status: 200, body: text, leader: null, retry: false });
            calls.push({ body, signal, answer });
          }),
      });
    if (running) start();
    return { member, told: member.service.told, service: member.service, sockets, calls, start };
  }

  /** A client connects; what the platform makes of it is not to be had in Node. */
  connect({ sockets }: { sockets: ClientSockets }, path: string): FakeSocket {
    const ours = new FakeSocket();
    const pair = function pair() {
      return { 0: new FakeSocket(), 1: ours };
    };
    vi.stubGlobal('WebSocketPair', pair);
    vi.stubGlobal('Response', function response() {});
    sockets.accept({ delivery: 'socket', path, context: ANYBODY });
    vi.unstubAllGlobals();
    this.sockets.push(ours);
    return ours;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a WebSocket on a stream', () => {
  it('carries requests as messages, any number of them in one', () => {
    const platform = new Platform();
    const { sockets, told, service, ...rest } = platform.instance();
    const socket = platform.connect({ sockets, ...rest }, '/v3/watch');
    service.onReceive = () => service.send(3n);
    sockets.received(socket.webSocket, CREATE);
    sockets.received(socket.webSocket, utf8(CREATE + CREATE).slice().buffer);
    expect(told).toEqual(['open null', ...Array(3).fill('receive createRequest')]);
    expect(socket.told).toEqual(Array(3).fill('{"result":{"watch_id":"3"}}'));
    sockets.closed(socket.webSocket, null);
    expect(told.at(-1)).toBe('closed');
  });

  it.each([
    [1000, ['close 1000 ']],
    [1005, ['close 1000 ']],
    [1006, ['close 1000 ']],
    [2999, ['close 1000 ']],
    [3000, ['close 3000 ']],
    [4999, ['close 4999 ']],
    [5000, ['close 1000 ']],
    [null, []],
  ])('that is closed with %s is answered', (code, answer) => {
    const platform = new Platform();
    const { sockets, told, ...rest } = platform.instance();
    const socket = platform.connect({ sockets, ...rest }, '/v3/watch');
    sockets.closed(socket.webSocket, code);
    expect(socket.told).toEqual(answer);
    expect(told.at(-1)).toBe('closed');
  });

  it('says what is wrong and is closed', () => {
    const platform = new Platform();
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/watch');
    instance.sockets.received(socket.webSocket, 'hello');
    expect(socket.told[0]).toMatch(/^\{"error":"invalid character/);
    expect(socket.told[1]).toBe("close 1011 invalid character 'h' looking for beginning of value");
  });

  it('takes the first message as the request where there is but one', () => {
    const platform = new Platform();
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/election/observe');
    expect(instance.told).toEqual([]);
    instance.sockets.received(socket.webSocket, '{"name":"YWI="}');
    instance.sockets.received(socket.webSocket, '{"name":"YQ=="}');
    expect(instance.told).toEqual(['receive 2', 'halfClosed']);
  });

  it('on no method is told so', () => {
    const platform = new Platform();
    const socket = platform.connect(platform.instance(), '/v3/nope');
    expect(socket.told).toEqual(['Not Found', 'close 1000 ']);
  });
});

describe('a WebSocket on a unary method', () => {
  it('is closed after the answer', async () => {
    const platform = new Platform();
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/kv/range');
    instance.sockets.received(socket.webSocket, '{"key":"YQ=="}');
    instance.sockets.received(socket.webSocket, '{"key":"Yg=="}');
    expect(instance.calls.map(({ body }) => body)).toEqual(['{"key":"YQ=="}']);
    must(instance.calls[0], 'a call').answer('{"kvs":[]}');
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.told).toEqual(['{"kvs":[]}', 'close 1000 ']);
  });

  it('tells a method that waits when its client hangs up', () => {
    const platform = new Platform();
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/lock/lock');
    instance.sockets.received(socket.webSocket, '{}');
    const { signal } = must(instance.calls[0], 'a call');
    expect(signal.aborted).toBe(false);
    instance.sockets.closed(socket.webSocket, null);
    expect(signal.aborted).toBe(true);
  });
});

describe('hibernation', () => {
  const open = (platform: Platform) => {
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/watch');
    instance.sockets.received(socket.webSocket, CREATE);
    instance.service.saved = { revision: 3 };
    return { ...instance, socket };
  };

  it('resumes a stream from what was saved a while after its last change', () => {
    const platform = new Platform();
    const { socket } = open(platform);
    vi.advanceTimersByTime(limits.socketSaveMs);
    expect(vi.getTimerCount()).toBe(0);
    const next = platform.instance();
    expect(next.told).toEqual(['resume {"revision":3}']);
    next.sockets.received(socket.webSocket, CREATE);
    expect(next.told).toEqual(['resume {"revision":3}', 'receive createRequest']);
  });

  it.each([
    ['has changed since', { revision: 3 }, limits.socketSaveMs - 1],
    ['cannot be saved', null, limits.socketSaveMs],
    ['is too large to be saved', 'x'.repeat(20_000), limits.socketSaveMs],
  ])('ends a stream that %s, with a reason to come back', (_what, saved, waitMs) => {
    const platform = new Platform();
    const { socket, service } = open(platform);
    service.saved = saved;
    vi.advanceTimersByTime(waitMs);
    expect(platform.instance().told).toEqual([]);
    expect(socket.told.at(-1)).toBe('close 1013 etcdserver: server stopped');
  });

  it('of a socket on which nothing was asked goes on without a word', () => {
    const platform = new Platform();
    const socket = platform.connect(platform.instance(), '/v3/election/observe');
    const next = platform.instance();
    next.sockets.received(socket.webSocket, '{"name":"YQ=="}');
    expect(next.told).toEqual(['receive 1', 'halfClosed']);
  });

  it('keeps what comes before the member runs, within bounds', () => {
    const platform = new Platform();
    const { socket } = open(platform);
    vi.advanceTimersByTime(limits.socketSaveMs);
    const next = platform.instance({ running: false });
    for (let i = 0; i < limits.socketQueueMessagesMax; i++) {
      next.sockets.received(socket.webSocket, CREATE);
    }
    expect(socket.told).toEqual([]);
    next.sockets.received(socket.webSocket, CREATE);
    expect(socket.told).toEqual(['close 1013 etcdserver: too many requests']);
    next.start();
    expect(next.told).toHaveLength(1 + limits.socketQueueMessagesMax);
  });

  it('leaves no socket behind when the member stops', () => {
    const platform = new Platform();
    const instance = platform.instance();
    const socket = platform.connect(instance, '/v3/kv/range');
    instance.sockets.stop();
    expect(socket.told.at(-1)).toBe('close 1013 etcdserver: server stopped');
  });
});

describe('what a WebSocket has not carried yet', () => {
  it('is reckoned from what a connection carries', () => {
    let now = 0;
    const outlet = new SocketOutlet(new FakeSocket(), () => now);
    outlet.frame('a'.repeat(limits.socketBytesPerSecond));
    expect(outlet.bufferedBytes).toBeGreaterThanOrEqual(limits.socketBytesPerSecond);
    let drained = false;
    outlet.drained(() => {
      drained = true;
    });
    vi.advanceTimersByTime(900);
    expect(drained).toBe(false);
    now = 1_000;
    vi.advanceTimersByTime(100);
    expect(drained).toBe(true);
    expect(outlet.bufferedBytes).toBeLessThan(limits.streamHighWaterBytes);
  });
});
