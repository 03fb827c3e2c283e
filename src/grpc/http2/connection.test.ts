import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bridgeLimits } from '../../config/bridge.ts';
import { must } from '../../lib/assert.ts';
import { Http2Connection, type ServerStream } from './connection.ts';
import {
  ErrorCode,
  encodeFrame,
  encodeSettings,
  Flag,
  FrameType,
  PREFACE,
  uint32,
} from './frame.ts';
import { encodeHeaders, type Headers } from './hpack.ts';
import { RawClient, until } from './raw_client.test-util.ts';

/** A request as the server has it. */
interface Taken {
  readonly stream: ServerStream;
  readonly headers: Headers;
  text: string;
  ended: boolean;
  closed: boolean;
}

const HEAD = encodeHeaders([[':status', '200']]);
const TRAILERS = encodeHeaders([['grpc-status', '0']]);
const REQUEST = Buffer.concat([Buffer.of(0x83, 0x86), encodeHeaders([[':path', '/a']])]);

let server: Server;
let taken: Taken[];
let connection: Http2Connection;
let client: RawClient;

beforeEach(async () => {
  taken = [];
  server = createServer((socket) => {
    socket.pause();
    connection = new Http2Connection(socket, take);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new RawClient(connect(portOf(server), '127.0.0.1'));
});
afterEach(() => {
  client.socket.destroy();
  server.close();
});

function take(stream: ServerStream, headers: Headers) {
  const request: Taken = { stream, headers, text: '', ended: false, closed: false };
  taken.push(request);
  return {
    data: (bytes: Buffer, isLast: boolean) => {
      request.text += bytes.toString();
      request.ended ||= isLast;
    },
    closed: () => {
      request.closed = true;
    },
  };
}

function portOf(listening: Server): number {
  return (listening.address() as AddressInfo).port;
}

const last = (): Taken => must(taken.at(-1), 'a request');
const OPEN = Flag.endHeaders;
const WHOLE = Flag.endHeaders | Flag.endStream;

describe('a connection', () => {
  it('greets, and acknowledges settings and pings', async () => {
    client.greet();
    client.send(FrameType.ping, 0, 0, Buffer.from('12345678'));
    await until('an answer', () => client.of(FrameType.ping).length === 1);
    expect(client.frames.map(({ type, flags }) => [type, flags])).toEqual([
      [FrameType.settings, 0],
      [FrameType.windowUpdate, 0],
      [FrameType.settings, Flag.ack],
      [FrameType.ping, Flag.ack],
    ]);
    expect(String(client.frames[3]?.payload)).toBe('12345678');
  });

  it('takes a request in any pieces', async () => {
    const frames = Buffer.concat([
      PREFACE,
      encodeSettings([]),
      encodeFrame(FrameType.headers, OPEN, 1, REQUEST),
      encodeFrame(FrameType.data, 0, 1, Buffer.from('hel')),
      encodeFrame(FrameType.data, Flag.endStream, 1, Buffer.from('lo')),
    ]);
    for (const byte of frames) {
      client.socket.write(Buffer.of(byte));
      await sleep(0);
    }
    await until('all of it', () => taken[0]?.ended === true);
    expect(last().headers.get(':path')).toBe('/a');
    expect(last().text).toBe('hello');
  });

  it('takes padding, priorities, and headers in parts', async () => {
    client.greet();
    const [head, middle, tail] = [
      REQUEST.subarray(0, 1),
      REQUEST.subarray(1, 3),
      REQUEST.subarray(3),
    ];
    const padded = Buffer.concat([Buffer.of(2), Buffer.alloc(5), head, Buffer.alloc(2)]);
    client.send(FrameType.headers, Flag.padded | Flag.priority, 1, padded);
    client.send(FrameType.continuation, 0, 1, middle);
    client.send(FrameType.continuation, Flag.endHeaders, 1, tail);
    client.send(FrameType.priority, 0, 1, Buffer.alloc(5));
    const data = Buffer.concat([Buffer.of(3), Buffer.from('text'), Buffer.alloc(3)]);
    client.send(FrameType.data, Flag.padded | Flag.endStream, 1, data);
    await until('all of it', () => taken[0]?.ended === true);
    expect(last().headers.get(':path')).toBe('/a');
    expect(last().text).toBe('text');
  });

  it('answers whole, and forgets the stream', async () => {
    client.greet();
    client.send(FrameType.headers, WHOLE, 1, REQUEST);
    await until('a request', () => taken.length === 1);
    last().stream.out.answer(HEAD, Buffer.from('body'), TRAILERS);
    await until('the answer', () => client.of(FrameType.headers).length === 2);
    const [head, trailers] = client.of(FrameType.headers);
    expect(head?.payload).toEqual(HEAD);
    expect(trailers).toMatchObject({ flags: WHOLE, id: 1, payload: TRAILERS });
    expect(String(client.of(FrameType.data)[0]?.payload)).toBe('body');
    expect(connection.streamCount).toBe(0);
    expect(client.of(FrameType.reset)).toEqual([]);
    expect(last().closed).toBe(false);
  });

  it('lets go of a client that is answered before it has said all', async () => {
    client.greet();
    client.send(FrameType.headers, OPEN, 1, REQUEST);
    await until('a request', () => taken.length === 1);
    last().stream.out.end(TRAILERS);
    await until('the end', () => client.of(FrameType.reset).length === 1);
    expect(client.of(FrameType.reset)[0]?.payload).toEqual(uint32(ErrorCode.noError));
    // What it has sent before it heard of that.
    client.send(FrameType.data, Flag.endStream, 1, Buffer.from('late'));
    client.send(FrameType.headers, WHOLE, 3, REQUEST);
    await until('the next request', () => taken.length === 2);
    expect(client.closed).toBe(false);
  });

  it('tells of a reset, and of a lost connection', async () => {
    client.greet();
    client.send(FrameType.headers, OPEN, 1, REQUEST);
    client.send(FrameType.headers, OPEN, 3, REQUEST);
    client.send(FrameType.reset, 0, 1, uint32(ErrorCode.cancel));
    await until('a reset', () => taken[0]?.closed === true);
    expect(taken[1]?.closed).toBe(false);
    client.socket.destroy();
    await until('the loss', () => taken[1]?.closed === true);
    expect(connection.streamCount).toBe(0);
  });
});

describe('windows', () => {
  it('hold data back, of a stream and of the connection', async () => {
    client.greet();
    client.send(FrameType.headers, WHOLE, 1, REQUEST);
    client.send(FrameType.headers, WHOLE, 3, REQUEST);
    await until('requests', () => taken.length === 2);
    let written = 0;
    for (const { stream } of taken) {
      stream.out.headers(HEAD);
      stream.out.data(Buffer.alloc(50_000), () => written++);
      stream.out.data(Buffer.alloc(50_000), () => written++);
      stream.out.end(TRAILERS);
    }
    await until('a full window', () => client.dataBytes(1) === 65_535);
    await sleep(50);
    expect([client.dataBytes(3), written]).toEqual([0, 1]);
    client.send(FrameType.windowUpdate, 0, 0, uint32(1_000_000));
    await until("the other's", () => client.dataBytes(3) === 65_535);
    // A new size counts for streams that are open, too.
    client.socket.write(encodeSettings([[4, 70_000]]));
    await until(
      'some more',
      () => client.dataBytes(1) === 70_000 && client.dataBytes(3) === 70_000,
    );
    client.send(FrameType.windowUpdate, 0, 1, uint32(30_000));
    client.send(FrameType.windowUpdate, 0, 3, uint32(30_000));
    await until('all', () => client.dataBytes(1) === 100_000 && client.dataBytes(3) === 100_000);
    await until('both ends', () => client.of(FrameType.headers).length === 4);
    expect(written).toBe(4);
    expect(connection.streamCount).toBe(0);
  });

  it('shrink below nothing, and grow again', async () => {
    client.greet();
    client.send(FrameType.headers, WHOLE, 1, REQUEST);
    await until('a request', () => taken.length === 1);
    last().stream.out.data(Buffer.alloc(60_000), null);
    await until('it', () => client.dataBytes(1) === 60_000);
    client.socket.write(encodeSettings([[4, 10_000]]));
    await until('settings', () => client.of(FrameType.settings).length === 3);
    last().stream.out.data(Buffer.of(1), null);
    client.send(FrameType.windowUpdate, 0, 1, uint32(50_000));
    await sleep(50);
    expect(client.dataBytes(1)).toBe(60_000);
    client.send(FrameType.windowUpdate, 0, 1, uint32(1));
    await until('the rest', () => client.dataBytes(1) === 60_001);
  });

  it('are opened for requests as large as they come', async () => {
    client.greet();
    client.send(FrameType.headers, OPEN, 1, REQUEST);
    const piece = Buffer.alloc(16_384, 'x');
    const pieces = (3 * bridgeLimits.connectionWindowBytes) / piece.length;
    let room = bridgeLimits.streamWindowBytes;
    for (let sent = 0, seen = 0; sent < pieces; sent++) {
      await until('room', () => {
        for (; seen < client.frames.length; seen++) {
          const { type, id, payload } = must(client.frames[seen], 'a frame');
          if (type === FrameType.windowUpdate && id === 1) room += payload.readUInt32BE();
        }
        return room >= piece.length;
      });
      room -= piece.length;
      client.send(FrameType.data, 0, 1, piece);
    }
    await until('all', () => last().text.length === pieces * piece.length);
  });
});

describe('a client that breaks the protocol is told so, and its connection ends:', () => {
  const ping = Buffer.alloc(8);
  const cases: readonly (readonly [string, ErrorCode, () => void])[] = [
    ['no settings', ErrorCode.protocolError, () => client.send(FrameType.ping, 0, 0, ping)],
    [
      'an even stream',
      ErrorCode.protocolError,
      () => client.send(FrameType.headers, WHOLE, 2, REQUEST),
    ],
    ['data of nothing', ErrorCode.protocolError, () => client.send(FrameType.data, 0, 1)],
    ['a push', ErrorCode.protocolError, () => client.send(FrameType.pushPromise, 0, 1)],
    [
      'a short ping',
      ErrorCode.frameSizeError,
      () => client.send(FrameType.ping, 0, 0, ping.subarray(1)),
    ],
    [
      'room for nothing',
      ErrorCode.protocolError,
      () => client.send(FrameType.windowUpdate, 0, 0, uint32(0)),
    ],
    [
      'too much room',
      ErrorCode.flowControlError,
      () => client.send(FrameType.windowUpdate, 0, 0, uint32(2 ** 31 - 1)),
    ],
    [
      'a reset of nothing',
      ErrorCode.protocolError,
      () => client.send(FrameType.reset, 0, 1, uint32(0)),
    ],
    [
      'a window without bounds',
      ErrorCode.flowControlError,
      () => client.socket.write(encodeSettings([[4, 2 ** 31]])),
    ],
    [
      'a lonely continuation',
      ErrorCode.protocolError,
      () => client.send(FrameType.continuation, OPEN, 1, REQUEST),
    ],
    [
      'half a request',
      ErrorCode.protocolError,
      () => {
        client.send(FrameType.headers, 0, 1, REQUEST);
        client.send(FrameType.ping, 0, 0, ping);
      },
    ],
    [
      'headers that cannot be read',
      ErrorCode.compressionError,
      () => client.send(FrameType.headers, WHOLE, 1, Buffer.of(0x80)),
    ],
    [
      'more padding than payload',
      ErrorCode.protocolError,
      () => client.send(FrameType.headers, WHOLE | Flag.padded, 1, Buffer.of(9, 1)),
    ],
    [
      'a frame that is too large',
      ErrorCode.frameSizeError,
      () => client.send(FrameType.headers, WHOLE, 1, Buffer.alloc(16_385)),
    ],
    [
      'continuations without an end',
      ErrorCode.enhanceYourCalm,
      () => {
        client.send(FrameType.headers, 0, 1, REQUEST);
        for (let i = 0; i < 10_000; i++) client.send(FrameType.continuation, 0, 1);
      },
    ],
    [
      'requests that are withdrawn at once, for ever',
      ErrorCode.enhanceYourCalm,
      () => {
        for (let id = 1; id < 2 * bridgeLimits.resetsBurst + 5_000; id += 2) {
          client.send(FrameType.headers, OPEN, id, REQUEST);
          client.send(FrameType.reset, 0, id, uint32(ErrorCode.cancel));
        }
      },
    ],
  ];
  it.each(cases)('%s', async (what, code, work) => {
    if (what === 'no settings') client.socket.write(PREFACE);
    else client.greet();
    work();
    await until('the end', () => client.closed);
    const [goAway] = client.of(FrameType.goAway);
    expect(goAway?.payload.readUInt32BE(4)).toBe(code);
    expect(connection.streamCount).toBe(0);
  });

  it('data beyond the window', async () => {
    client.greet();
    client.send(FrameType.headers, OPEN, 1, REQUEST);
    await until('a request', () => taken.length === 1);
    // One event has all of it: no room was made meanwhile.
    const frame = encodeFrame(FrameType.data, 0, 1, Buffer.alloc(16_384));
    const keep = last().stream;
    expect(() => keep.keep(bridgeLimits.receivingBytesMax + 1)).toThrow('not whole');
    client.socket.write(frame);
    await until('it', () => last().text.length === 16_384);
  });

  it('who asks on and on, and reads nothing', async () => {
    client.socket.pause();
    client.greet();
    const pings = Buffer.concat(Array(4_096).fill(encodeFrame(FrameType.ping, 0, 0, ping)));
    let isOpen = true;
    for (let i = 0; i < 10_000 && isOpen; i++) {
      client.socket.write(pings);
      await sleep(1);
      server.getConnections((_, count) => {
        isOpen = count > 0;
      });
    }
    expect(isOpen).toBe(false);
  });

  it('who speaks something else', async () => {
    client.socket.write('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n');
    await until('the end', () => client.closed);
  });
});

it("serves Node's own client", async () => {
  const session = connectHttp2(`http://127.0.0.1:${portOf(server)}`);
  const answers = Array.from({ length: 50 }, async (_, i) => {
    const request = session.request({ ':method': 'POST', ':path': `/${i}`, te: 'trailers' });
    request.end('x'.repeat(i * 5_000));
    await until('it', () =>
      taken.some(({ headers, ended }) => headers.get(':path') === `/${i}` && ended),
    );
    const { stream, text } = must(
      taken.find(({ headers }) => headers.get(':path') === `/${i}`),
      'the request',
    );
    stream.out.headers(HEAD);
    for (let at = 0; at < text.length; at += 70_000) {
      stream.out.data(Buffer.from(text.slice(at, at + 70_000)), null);
    }
    stream.out.end(TRAILERS);
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    const [[trailers]] = await Promise.all([once(request, 'trailers'), once(request, 'end')]);
    return [request.rstCode, trailers['grpc-status'], bytes === i * 5_000];
  });
  const { NGHTTP2_NO_ERROR } = constants;
  const found = await Promise.all(answers);
  expect(found).toEqual(found.map(() => [NGHTTP2_NO_ERROR, '0', true]));
  session.destroy();
});
