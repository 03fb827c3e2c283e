import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerFrameWriter } from '../api/session-answer.ts';
import { SESSION_RECEIVED_EVERY_BYTES } from '../api/session-methods.ts';
import { type ClientFrame, decodeClientFrame } from '../api/session-request.ts';
import type { CallContext } from './channel.ts';
import type { EtcdError } from './error.ts';
import { SessionChannel } from './session_channel.ts';
import { type Answered, SessionConnection } from './session_connection.ts';
import type { SocketEvent, SocketLike } from './socket.ts';

/** The server's end of a socket, played by the test. */
class FakeSocket implements SocketLike {
  binaryType = 'blob';
  readonly sent: (ClientFrame | string)[] = [];
  closed = false;
  readonly #listeners = new Map<string, (event: SocketEvent) => void>();

  send(data: Uint8Array | string): void {
    this.sent.push(typeof data === 'string' ? data : decodeClientFrame(data.slice()));
  }

  close(): void {
    this.closed = true;
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners.set(type, listener);
  }

  tell(type: string, event: SocketEvent = {}): void {
    this.#listeners.get(type)?.(event);
  }

  answer(fill: (writer: ServerFrameWriter) => void): void {
    const writer = new ServerFrameWriter();
    fill(writer);
    this.tell('message', { data: writer.take().slice().buffer });
  }

  welcome(): void {
    const ids = { clusterId: 1n, memberId: 2n, leaderId: 2n };
    this.answer((writer) => writer.welcome({ version: 1, ...ids }));
  }

  /** Operations by frame, as "id:method". */
  frames(): string[][] {
    return this.sent.splice(0).map((frame) => {
      if (typeof frame === 'string') return [frame];
      const operations = frame.operations.map(({ id, method, action }) =>
        action === 2 ? `cancel ${id}` : `${id}:${method}`,
      );
      return frame.hello === null ? operations : [`hello ${frame.hello.token}`, ...operations];
    });
  }
}

const context: CallContext = { token: null, timeoutMs: 0, requireLeader: false, signal: null };
const request = new Uint8Array(1);

class Waiting implements Answered {
  readonly heard: string[] = [];

  answer(response: Uint8Array | null, more: boolean): void {
    this.heard.push(`${response?.length ?? 'end'}${more ? '+' : ''}`);
  }

  fail(error: EtcdError): void {
    this.heard.push(`${error.outcome}: ${error.message}`);
  }
}

describe('a connection of a session', () => {
  let socket: FakeSocket;
  let connection: SessionConnection;
  const settled = () => vi.advanceTimersByTimeAsync(0);

  beforeEach(() => {
    vi.useFakeTimers();
    socket = new FakeSocket();
    connection = new SessionConnection(socket, null, false);
  });
  afterEach(() => vi.useRealTimers());

  const begin = (to: Answered, fields: Partial<CallContext> = {}, isStream = false): number =>
    connection.begin('/v3/kv/put', request, { ...context, ...fields }, to, isStream);

  it('packs what is issued in one turn of the event loop into one frame', async () => {
    const all = [new Waiting(), new Waiting(), new Waiting()];
    begin(all[0] as Waiting);
    socket.tell('open');
    await settled();
    expect(socket.frames()).toEqual([['hello null', '1:2']]);
    begin(all[1] as Waiting);
    void Promise.resolve()
      .then(() => undefined)
      .then(() => begin(all[2] as Waiting));
    await settled();
    expect(socket.frames()).toEqual([['2:2', '3:2']]);
    socket.answer((writer) => {
      writer.answer(3, new Uint8Array(4), false);
      writer.fail(1, { code: 9, message: 'no' });
    });
    expect(all.map(({ heard }) => heard)).toEqual([['none: no'], [], ['4']]);
  });

  it('says hello in the frame of the call for which a socket came that is open', async () => {
    const opened = Object.assign(new FakeSocket(), { readyState: 1 });
    const channel = new SessionChannel('http://etcd', async () => opened);
    void channel.unary('/v3/kv/put', {}, context);
    await settled();
    expect(opened.frames()).toEqual([['hello null', '1:2']]);
  });

  it('says hello again when somebody else calls, in a frame of its own', async () => {
    socket.tell('open');
    await settled();
    begin(new Waiting());
    begin(new Waiting(), { token: 'me' });
    begin(new Waiting(), { token: 'me' });
    await settled();
    expect(socket.frames()).toEqual([['hello null'], ['1:2'], ['hello me', '2:2', '3:2']]);
  });

  it('forgets what is cancelled', async () => {
    socket.tell('open');
    const waiting = new Waiting();
    const id = begin(waiting);
    await settled();
    connection.cancel(id);
    connection.cancel(id);
    await settled();
    expect(socket.frames()).toEqual([['hello null', '1:2'], ['cancel 1']]);
    socket.answer((writer) => writer.answer(1, new Uint8Array(1), false));
    expect(waiting.heard).toEqual([]);
  });

  it('says what it has taken in', async () => {
    socket.tell('open');
    begin(new Waiting(), {}, true);
    await settled();
    socket.frames();
    const half = new Uint8Array(SESSION_RECEIVED_EVERY_BYTES / 2 + 1);
    socket.answer((writer) => writer.answer(1, half, true));
    await settled();
    expect(socket.sent).toEqual([]);
    socket.answer((writer) => writer.answer(1, half, true));
    await settled();
    const [frame] = socket.sent as ClientFrame[];
    expect(frame?.receivedBytes).toBeGreaterThan(SESSION_RECEIVED_EVERY_BYTES);
  });

  it('knows what was sent when it is lost, and what was not', async () => {
    const sent = new Waiting();
    const unsent = new Waiting();
    socket.tell('open');
    begin(sent);
    await settled();
    begin(unsent);
    socket.tell('close', { code: 1012, reason: 'server stopped' });
    expect([sent.heard, unsent.heard]).toEqual([
      ['unknown: the connection was lost: 1012 server stopped'],
      ['none: no connection: 1012 server stopped'],
    ]);
    expect(connection.over).toBe(true);
  });

  it('gives up on a server that does not say welcome', async () => {
    const waiting = new Waiting();
    begin(waiting);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(waiting.heard).toEqual(['none: no connection: no welcome']);
    expect(socket.closed).toBe(true);
  });

  it('asks a silent server, and takes no answer for a lost connection', async () => {
    const waiting = new Waiting();
    socket.tell('open');
    socket.welcome();
    begin(waiting);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(socket.frames().at(-1)).toEqual(['ping']);
    socket.tell('message', { data: 'pong' });
    await vi.advanceTimersByTimeAsync(7_000);
    expect(socket.frames().at(-1)).toEqual(['ping']);
    expect(waiting.heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(waiting.heard).toEqual(['unknown: the connection was lost: the server fell silent']);
  });

  it('has no timers while nothing is open, and asks rarely while only streams are', async () => {
    socket.tell('open');
    socket.welcome();
    const id = begin(new Waiting(), {}, true);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(socket.frames().flat()).not.toContain('ping');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(socket.frames()).toEqual([['ping']]);
    connection.cancel(id);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends a call that is late', async () => {
    const waiting = new Waiting();
    socket.tell('open');
    socket.welcome();
    begin(waiting, { timeoutMs: 100 });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(waiting.heard).toEqual(['unknown: context deadline exceeded']);
    expect(socket.frames().at(-1)).toEqual(['cancel 1']);
  });

  it('ends when a frame cannot be read', async () => {
    const waiting = new Waiting();
    socket.tell('open');
    begin(waiting);
    await settled();
    socket.tell('message', { data: Uint8Array.of(18, 9).buffer });
    expect(waiting.heard).toEqual(['unknown: the connection was lost: the frame is cut short']);
  });

  it('refuses a request that no frame has room for', () => {
    const large = new Uint8Array(2_200_000);
    expect(() => connection.begin('/v3/kv/put', large, context, new Waiting())).toThrow(
      'too large',
    );
  });
});
