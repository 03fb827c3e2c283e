import { create, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Code, EtcdError } from '../../api/error.ts';
import { WatchRequestSchema } from '../../api/gen/rpc_pb.ts';
import { decodeServerFrame } from '../../api/session-answer.ts';
import { methodNumber, SESSION_FRAME_BYTES_MAX, SESSION_PATH } from '../../api/session-methods.ts';
import { ClientFrameWriter, type Operation } from '../../api/session-request.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { utf8 } from '../../lib/bytes.ts';
import { ClientSockets } from '../streams/client_sockets.ts';
import { ANYBODY, FakeMember } from '../streams/fake_service.ts';
import { Streams } from '../streams/streams.ts';
import type { OnResponse } from './calls.ts';
import { Sessions } from './sessions.ts';

/** A WebSocket with what hibernation adds to it. */
class FakeSocket {
  readonly frames: Uint8Array[] = [];
  closed: string | null = null;
  attachment: string | null = null;

  send(frame: Uint8Array): void {
    this.frames.push(frame);
  }

  close(code: number, reason: string): void {
    this.closed ??= `${code} ${reason}`;
  }

  serializeAttachment(value: unknown): void {
    this.attachment = JSON.stringify(value);
  }

  deserializeAttachment(): unknown {
    return this.attachment === null ? null : JSON.parse(this.attachment);
  }

  get webSocket(): WebSocket {
    return this as unknown as WebSocket;
  }

  /** Everything that was answered since the last time, frame by frame. */
  answered(): string[][] {
    return this.frames.splice(0).map((frame) => {
      const { welcome, answers } = decodeServerFrame(frame);
      const texts = answers.map(({ id, response, more, failure }) => {
        if (failure !== null) return `${id} failed: ${failure.message}`;
        return `${id}${more ? '+' : ''} ${response === null ? 'ended' : response.length}`;
      });
      return welcome === null ? texts : [`welcome ${welcome.version}`, ...texts];
    });
  }
}

interface Call {
  readonly path: string;
  readonly signal: AbortSignal | null;
  readonly token: string | null;
  readonly timeoutMs: number | null;
  readonly done: OnResponse;
}

/** The platform: it keeps sockets from one instance of the member to the next. */
class Platform {
  readonly sockets: FakeSocket[] = [];
  readonly socket = new FakeSocket();

  acceptWebSocket(): void {
    this.sockets.push(this.socket);
  }

  getWebSockets(): WebSocket[] {
    return this.sockets.map(({ webSocket }) => webSocket);
  }

  instance() {
    const member = new FakeMember();
    const calls: Call[] = [];
    const streams = new Streams(member);
    const identity = () => ({ clusterId: 1n, memberId: 2n, leaderId: 3n });
    const begin = (method: { path: string }, _: Uint8Array, ...rest: unknown[]): void => {
      const [context, signal, done] = rest as [typeof ANYBODY, AbortSignal | null, OnResponse];
      const { token, timeoutMs } = context;
      calls.push({ path: method.path, signal, token, timeoutMs, done });
    };
    const sockets = new ClientSockets(this);
    const sessions = new Sessions({ begin: begin as never }, streams, identity);
    const start = (): void => {
      const call = () => Promise.reject(new Error('no session calls like this'));
      sockets.start({ streams, sessions, nowMs: () => member.now, call });
    };
    return { member, calls, sockets, sessions, start, service: member.service };
  }
}

const PUT = methodNumber('/v3/kv/put');
const WATCH = methodNumber('/v3/watch');
const LOCK = methodNumber('/v3/lock/lock');

function operation(fields: Partial<Operation> & { readonly id: number }): Operation {
  return { method: 0, request: new Uint8Array(0), timeoutMs: 0, action: 0, ...fields };
}

function frame(...operations: readonly Operation[]): ArrayBuffer {
  return frameWith({}, ...operations);
}

function frameWith(
  { hello, received }: { hello?: { version?: number; token?: string }; received?: number },
  ...operations: readonly Operation[]
): ArrayBuffer {
  const writer = new ClientFrameWriter();
  if (hello) writer.hello({ version: 1, token: null, requireLeader: false, ...hello });
  for (const each of operations) writer.operation(each);
  if (received !== undefined) writer.received(received);
  return writer.take().slice().buffer as ArrayBuffer;
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const watchRequest = toBinary(
  WatchRequestSchema,
  create(WatchRequestSchema, {
    requestUnion: { case: 'createRequest', value: { key: utf8('a') } },
  }),
);

describe('a session', () => {
  let platform: Platform;
  let member: ReturnType<Platform['instance']>;
  let socket: FakeSocket;

  beforeEach(() => {
    vi.stubGlobal(
      'WebSocketPair',
      class {
        readonly 0 = {};
        readonly 1 = platform.socket.webSocket;
      },
    );
    vi.stubGlobal('Response', class {});
    platform = new Platform();
    member = platform.instance();
    socket = platform.socket;
    member.sockets.accept({ delivery: 'socket', path: SESSION_PATH, context: ANYBODY });
    return () => vi.unstubAllGlobals();
  });

  const send = (data: string | ArrayBuffer): void =>
    member.sockets.received(socket.webSocket, data);

  async function greeted(token?: string): Promise<void> {
    member.start();
    send(frameWith({ hello: token === undefined ? {} : { token } }));
    await settled();
    expect(socket.answered()).toEqual([['welcome 1']]);
  }

  const call = (i: number): Call => must(member.calls[i], `call ${i} was made`);

  it('begins all operations of a frame, and answers together what is ready together', async () => {
    await greeted();
    send(frame(...[1, 2, 3].map((id) => operation({ id, method: PUT }))));
    expect(member.calls.map(({ path }) => path)).toEqual(Array(3).fill('/v3/kv/put'));
    call(2).done(new Uint8Array(5), null);
    call(0).done(null, EtcdError.of('noSpace'));
    expect(socket.frames).toEqual([]);
    await settled();
    expect(socket.answered()).toEqual([
      ['3 5', '1 failed: etcdserver: mvcc: database space exceeded'],
    ]);
    call(1).done(new Uint8Array(0), null);
    await settled();
    expect(socket.answered()).toEqual([['2 0']]);
  });

  it('does what came before the member ran', async () => {
    send(frameWith({ hello: {} }, operation({ id: 1, method: PUT })));
    expect(socket.closed).toBe(null);
    member.start();
    expect(member.calls.length).toBe(1);
  });

  it('calls on behalf of whoever said hello last, within the time that is given', async () => {
    await greeted('first');
    send(frame(operation({ id: 1, method: PUT, timeoutMs: 70 })));
    send(frameWith({ hello: { token: 'second' } }, operation({ id: 2, method: PUT })));
    expect(member.calls.map(({ token, timeoutMs }) => [token, timeoutMs])).toEqual([
      ['first', 70],
      ['second', null],
    ]);
  });

  it('fails one bad operation of a frame alone', async () => {
    await greeted();
    const good = operation({ id: 1, method: PUT });
    send(
      frame(
        operation({ id: 2, method: 99 }),
        operation({ id: 3, method: PUT, action: 7 }),
        operation({ id: 4 }),
        operation({ id: 5, method: WATCH, request: Uint8Array.of(255) }),
        good,
      ),
    );
    call(0).done(new Uint8Array(1), null);
    await settled();
    const [answers = []] = socket.answered();
    expect(answers.map((text) => text.replace(/(request: ).*/, '$1…'))).toEqual([
      '2 failed: edgetcd: unknown method',
      '3 failed: edgetcd: unknown action',
      '4 failed: edgetcd: no operation of that id is open',
      '5 failed: grpc: error unmarshalling request: …',
      '1 1',
    ]);
    expect(socket.closed).toBe(null);
  });

  it('refuses operations beyond those that it has room for', async () => {
    await greeted();
    const ids = Array.from({ length: limits.sessionOperationsMax + 2 }, (_, i) => i + 1);
    send(frame(...ids.map((id) => operation({ id, method: PUT }))));
    await settled();
    expect(member.calls.length).toBe(limits.sessionOperationsMax);
    expect(socket.answered()).toEqual([
      ids.slice(-2).map((id) => `${id} failed: edgetcd: too many operations in one session`),
    ]);
    call(0).done(new Uint8Array(1), null);
    send(frame(operation({ id: 1, method: PUT })));
    expect(member.calls.length).toBe(limits.sessionOperationsMax + 1);
  });

  it('forgets a call that is cancelled, and tells one that waits', async () => {
    await greeted();
    send(frame(operation({ id: 1, method: PUT }), operation({ id: 2, method: LOCK })));
    send(frame(operation({ id: 1, action: 2 }), operation({ id: 2, action: 2 })));
    expect([call(0).signal, call(1).signal?.aborted]).toEqual([null, true]);
    // The id is free: what is answered under it is the new call's.
    send(frame(operation({ id: 1, method: PUT })));
    call(0).done(new Uint8Array(9), null);
    call(1).done(null, EtcdError.of('canceled'));
    call(2).done(new Uint8Array(3), null);
    await settled();
    expect(socket.answered()).toEqual([['1 3']]);
  });

  it('carries streams beside calls', async () => {
    await greeted();
    send(frame(operation({ id: 7, method: WATCH, request: watchRequest })));
    member.service.send(1n);
    member.service.send(2n);
    await settled();
    expect(socket.answered()).toEqual([['7+ 2', '7+ 2']]);
    send(frame(operation({ id: 7, request: watchRequest }), operation({ id: 7, action: 1 })));
    expect(member.service.told).toEqual([
      'open null',
      'receive createRequest',
      'receive createRequest',
      'halfClosed',
    ]);
    member.service.sink.end(new EtcdError(Code.unavailable, 'gone'));
    await settled();
    expect(socket.answered()).toEqual([['7 failed: gone']]);
    expect(member.service.told.at(-1)).toBe('closed');
  });

  it('gives everything back when its client is gone', async () => {
    await greeted();
    send(frame(operation({ id: 1, method: LOCK }), operation({ id: 2, method: WATCH })));
    member.sockets.closed(socket.webSocket, 1000);
    expect(call(0).signal?.aborted).toBe(true);
    expect(member.service.told.at(-1)).toBe('closed');
    expect(member.sessions.count).toBe(0);
    call(0).done(null, EtcdError.of('canceled'));
    await settled();
    expect(socket.answered()).toEqual([]);
  });

  it.each<readonly [string, () => string | ArrayBuffer, string]>([
    ['text', () => '{}', '1003 frames are binary'],
    ['what is no frame', () => Uint8Array.of(18, 9).buffer, '1002 the frame is cut short'],
    [
      'a frame that is too large',
      () => new ArrayBuffer(SESSION_FRAME_BYTES_MAX + 1),
      `1009 a frame of ${SESSION_FRAME_BYTES_MAX + 1} bytes is too large`,
    ],
    [
      'a version that is not spoken',
      () => frameWith({ hello: { version: 9 } }),
      '4001 version 9 is not spoken here: 1 is',
    ],
    [
      'operations without a hello',
      () => frame(operation({ id: 1, method: PUT })),
      '4000 a session begins with a hello',
    ],
    [
      'bytes taken in that were not sent',
      () => frameWith({ hello: {}, received: 5 }),
      '1002 5 bytes were not sent',
    ],
    [
      'an id twice',
      () => frameWith({ hello: {} }, ...[1, 1].map((id) => operation({ id, method: PUT }))),
      '1002 operation 1 is open already',
    ],
  ])('is closed for %s', (_, data, reason) => {
    member.start();
    send(data());
    expect(socket.closed).toBe(reason);
    expect(member.sessions.count).toBe(0);
    // Nothing is heard any more.
    const before = member.calls.length;
    send(frameWith({ hello: {} }, operation({ id: 9, method: PUT })));
    expect(member.calls.length).toBe(before);
  });

  it('knows what its client has taken in, and waits for a slow one', async () => {
    await greeted();
    send(frame(operation({ id: 1, method: WATCH, request: watchRequest })));
    const { sink } = member.service;
    const welcomeBytes = 10;
    let sent = 0;
    while (sink.bufferedBytes <= limits.streamHighWaterBytes) {
      member.service.send(2n ** 62n);
      sent++;
    }
    await settled();
    const drained = vi.fn();
    sink.drained(drained);
    await settled();
    expect(drained).not.toHaveBeenCalled();
    const bytes = socket.frames.reduce((sum, { length }) => sum + length, 0);
    expect(sent).toBeGreaterThan(1_000);
    send(frameWith({ received: welcomeBytes + bytes }));
    expect(drained).toHaveBeenCalledOnce();
    expect(sink.bufferedBytes).toBe(0);
  });

  it('cuts off a client that does not read', async () => {
    await greeted();
    send(frame(operation({ id: 1, method: PUT }), operation({ id: 2, method: PUT })));
    const large = new Uint8Array(limits.sessionUnreadBytesMax / 2 + 1);
    call(0).done(large, null);
    await settled();
    expect(socket.closed).toBe(null);
    call(1).done(large, null);
    expect(socket.closed).toBe('1013 the client does not read');
  });

  it('goes on after a hibernation when nothing but streams was open', async () => {
    vi.useFakeTimers();
    member.start();
    send(frameWith({ hello: { token: 'me' } }));
    member.service.saved = { at: 5 };
    send(frame(operation({ id: 3, method: WATCH, request: watchRequest })));
    await vi.advanceTimersByTimeAsync(limits.socketSaveMs);
    vi.useRealTimers();
    socket.answered();
    member = platform.instance();
    member.start();
    expect(member.service.told).toEqual(['resume {"at":5}']);
    member.service.send(1n);
    send(frame(operation({ id: 4, method: PUT })));
    await settled();
    expect(call(0).token).toBe('me');
    expect(socket.answered()).toEqual([['3+ 2']]);
    expect(socket.closed).toBe(null);
  });

  it('is closed by an instance that cannot know what became of a call', async () => {
    vi.useFakeTimers();
    member.start();
    send(frameWith({ hello: {} }));
    send(frame(operation({ id: 4, method: PUT })));
    await vi.advanceTimersByTimeAsync(limits.socketSaveMs);
    vi.useRealTimers();
    member = platform.instance();
    member.start();
    expect(socket.closed).toBe('1012 etcdserver: server stopped');
  });

  it('ends with its member', async () => {
    await greeted();
    send(frame(operation({ id: 1, method: LOCK })));
    member.sockets.stop();
    expect(socket.closed).toBe('1012 etcdserver: server stopped');
    expect(call(0).signal?.aborted).toBe(true);
  });
});
