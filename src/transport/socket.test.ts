import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { must } from '../lib/assert.ts';
import { textOf, utf8 } from '../lib/bytes.ts';
import { FakeSocket } from './fake_socket.ts';
import type { PeerLink } from './peer.ts';
import { SocketLink, serveSocket } from './socket.ts';

const TIMEOUT_MS = 1_000;
const IDLE_MS = 10_000;

/** A link whose sockets the test holds, and a way back that answers with what it was asked. */
class Rig {
  readonly sockets: FakeSocket[] = [];
  readonly fallback: string[] = [];
  opens = 0;
  refuse = false;
  readonly link: SocketLink;

  constructor() {
    const fallback: PeerLink = {
      exchange: async (body) => {
        this.fallback.push(textOf(body));
        return utf8(`fallback ${textOf(body)}`);
      },
    };
    const open = async () => {
      this.opens++;
      if (this.refuse) throw new Error('no WebSocket here');
      const socket = new FakeSocket();
      this.sockets.push(socket);
      return socket.socket;
    };
    this.link = new SocketLink(open, fallback, {
      timeoutMs: TIMEOUT_MS,
      idleMs: IDLE_MS,
      after: (callback, ms) => setTimeout(callback, ms),
    });
  }

  /** Opens the socket, which takes an exchange by the other way. */
  async open(): Promise<FakeSocket> {
    await this.ask('first');
    return must(this.sockets.at(-1), 'a socket');
  }

  /** The answer as text, or the reason why there is none. */
  ask(text: string): Promise<string> {
    return this.link.exchange(utf8(text)).then(textOf, (error: Error) => error.message);
  }
}

/** The number and the text of a message on the wire. */
function read(message: Uint8Array | undefined): { id: number; text: string } {
  const bytes = must(message, 'a message');
  return { id: new DataView(bytes.buffer).getUint32(0), text: textOf(bytes.subarray(4)) };
}

function answer(socket: FakeSocket, id: number, text: string): void {
  const body = utf8(text);
  const message = new Uint8Array(4 + body.length);
  new DataView(message.buffer).setUint32(0, id);
  message.set(body, 4);
  socket.deliver(message.buffer);
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a link by socket', () => {
  it('goes the other way until the socket is open, and opens one only', async () => {
    const rig = new Rig();
    expect(await Promise.all([rig.ask('a'), rig.ask('b')])).toEqual(['fallback a', 'fallback b']);
    expect(rig.opens).toBe(1);
    const asked = rig.ask('c');
    const [socket] = rig.sockets;
    expect(rig.fallback).toEqual(['a', 'b']);
    const { id, text } = read(socket?.sent[0]);
    expect(text).toBe('c');
    answer(must(socket, 'socket'), id, 'C');
    expect(await asked).toBe('C');
  });

  it('tries to open one again, but not at every exchange', async () => {
    const rig = new Rig();
    rig.refuse = true;
    expect(await rig.ask('a')).toBe('fallback a');
    expect(await rig.ask('b')).toBe('fallback b');
    expect(rig.opens).toBe(1);
    rig.refuse = false;
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    await rig.open();
    expect(rig.opens).toBe(2);
    expect(rig.sockets).toHaveLength(1);
  });

  it('gives each answer to the exchange it names, in whatever order they come', async () => {
    const rig = new Rig();
    const socket = await rig.open();
    const asked = Promise.all(['a', 'b', 'c'].map((text) => rig.ask(text)));
    for (const message of [...socket.sent].reverse()) {
      const { id, text } = read(message);
      answer(socket, id, text.toUpperCase());
      answer(socket, id, 'once more');
    }
    expect(await asked).toEqual(['A', 'B', 'C']);
  });

  it('gives up an exchange that takes too long, and ignores its late answer', async () => {
    const rig = new Rig();
    const socket = await rig.open();
    const late = rig.ask('late');
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    const other = rig.ask('other');
    answer(socket, read(socket.sent[1]).id, 'in time');
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    expect(await late).toBe('the peer did not answer in time');
    answer(socket, read(socket.sent[0]).id, 'too late');
    expect(await other).toBe('in time');
    expect(socket.open).toBe(true);
  });

  it('leaves a connection on which nothing came in all that time', async () => {
    const rig = new Rig();
    const dead = await rig.open();
    const asked = [rig.ask('a')];
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS * 0.6);
    asked.push(rig.ask('b'));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS * 0.4);
    const reasons = ['the peer did not answer in time', 'the connection to the peer was lost'];
    expect(await Promise.all(asked)).toEqual(reasons);
    expect(dead.open).toBe(false);
    expect(await rig.ask('c')).toBe('fallback c');
    expect(rig.sockets).toHaveLength(2);
  });

  it.each(['close', 'error'])('rejects all that wait when the socket reports %s', async (event) => {
    const rig = new Rig();
    const socket = await rig.open();
    const asked = [rig.ask('a'), rig.ask('b')];
    socket.dispatchEvent(new Event(event));
    const lost = 'the connection to the peer was lost';
    expect(await Promise.all(asked)).toEqual([lost, lost]);
    expect(await rig.ask('c')).toBe('fallback c');
  });

  it('leaves a socket that cannot send', async () => {
    const rig = new Rig();
    const socket = await rig.open();
    socket.broken = new TypeError('cannot send after close');
    expect(await rig.ask('a')).toBe('the connection to the peer was lost');
    expect(await rig.ask('b')).toBe('fallback b');
  });

  it.each([['text'], [new ArrayBuffer(3)]])('leaves a socket that says %j', async (data) => {
    const rig = new Rig();
    const socket = await rig.open();
    const asked = rig.ask('a');
    socket.deliver(data);
    expect(await asked).toBe('the connection to the peer was lost');
    expect(socket.open).toBe(false);
  });

  it('closes a socket that was not used for a while, and not one that is', async () => {
    const rig = new Rig();
    const socket = await rig.open();
    for (let i = 0; i < 3; i++) {
      await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
      const asked = rig.ask('a');
      answer(socket, read(socket.sent.at(-1)).id, 'A');
      await asked;
    }
    expect(socket.open).toBe(true);
    await vi.advanceTimersByTimeAsync(2 * IDLE_MS);
    expect(socket.open).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the other end', () => {
  it('answers each message under its number', async () => {
    vi.stubGlobal('WebSocket', { OPEN: 1 });
    const [near, far] = FakeSocket.pair();
    const gates: (() => void)[] = [];
    serveSocket(far.socket, async (body) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return utf8(textOf(body).toUpperCase());
    });
    expect(far.accepted).toBe(true);
    const link = new SocketLink(
      async () => near.socket,
      { exchange: async () => utf8('fallback') },
      {
        timeoutMs: TIMEOUT_MS,
        idleMs: IDLE_MS,
        after: (callback, ms) => setTimeout(callback, ms),
      },
    );
    await link.exchange(utf8('open'));
    const asked = ['a', 'b', 'c'].map((text) => link.exchange(utf8(text)).then(textOf));
    await vi.advanceTimersByTimeAsync(0);
    for (const open of gates.reverse()) open();
    expect(await Promise.all(asked)).toEqual(['A', 'B', 'C']);
  });

  it('says nothing on a socket that was closed meanwhile', async () => {
    vi.stubGlobal('WebSocket', { OPEN: 1 });
    const far = new FakeSocket();
    let finish = (_: Uint8Array): void => {};
    serveSocket(far.socket, () => new Promise((resolve) => (finish = resolve)));
    far.deliver(new ArrayBuffer(8));
    far.close();
    finish(utf8('answer'));
    await vi.advanceTimersByTimeAsync(0);
    expect(far.sent).toEqual([]);
  });

  it('closes a socket that speaks another language', () => {
    const far = new FakeSocket();
    serveSocket(far.socket, async (body) => body);
    far.deliver('hello');
    expect(far.open).toBe(false);
  });
});
