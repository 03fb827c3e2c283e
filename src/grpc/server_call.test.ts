import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';
import { GrpcServer } from './grpc_server.ts';
import { Flag, FrameType } from './http2/frame.ts';
import { encodeHeaders, type Headers, HpackDecoder } from './http2/hpack.ts';
import { RawClient, until } from './http2/raw_client.test-util.ts';
import type { ServerCall } from './server_call.ts';

let server: Server;
let client: RawClient;
let decoder: HpackDecoder;
let calls: ServerCall[];
let noted: string[];

beforeEach(async () => {
  [calls, noted, decoder] = [[], [], new HpackDecoder(65_536)];
  const grpc = new GrpcServer();
  grpc.register('/a.B/C', (call) => {
    calls.push(call);
    return {
      message: (bytes) => {
        if (bytes.length === 13) throw EtcdError.of('noLeader');
        noted.push(Buffer.from(bytes).toString());
      },
      finished: () => noted.push('finished'),
      cancelled: () => noted.push('cancelled'),
    };
  });
  server = createServer((socket) => grpc.connected(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new RawClient(connect((server.address() as AddressInfo).port, '127.0.0.1'));
  client.greet();
});
afterEach(() => {
  client.socket.destroy();
  server.close();
});

function begin(fields: Readonly<Record<string, string>> = {}): void {
  const all = { ':path': '/a.B/C', 'content-type': 'application/grpc+proto', ...fields };
  const block = encodeHeaders(Object.entries(all));
  client.send(FrameType.headers, Flag.endHeaders, 1, block);
}

function framed(message: string | Buffer, flags = 0): Buffer {
  const bytes = Buffer.from(message);
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const send = (bytes: Buffer, flags = 0): void => client.send(FrameType.data, flags, 1, bytes);
const noting = (what: string): Promise<void> => until(what, () => noted.includes(what));

/** The last block of headers, which ends the answer. */
async function trailers(): Promise<Headers> {
  const isEnd = ({ flags }: { flags: number }): boolean => (flags & Flag.endStream) !== 0;
  await until('the end', () => client.of(FrameType.headers).some(isEnd));
  const blocks = client.of(FrameType.headers).map(({ payload }) => decoder.decode(payload));
  return blocks.at(-1) ?? new Map();
}

describe('requests', () => {
  it('come in any pieces, several in one, one in several', async () => {
    begin();
    const all = Buffer.concat([framed('one'), framed(''), framed('x'.repeat(40_000)), framed('4')]);
    const cuts = [0, 2, 4, 7, 10, 14, 20_000, 40_020, all.length];
    cuts.slice(1).forEach((cut, i) => {
      for (let at = cuts[i] ?? 0; at < cut; at += 16_384) {
        send(all.subarray(at, Math.min(cut, at + 16_384)));
      }
    });
    send(Buffer.alloc(0), Flag.endStream);
    await noting('finished');
    expect(noted).toEqual(['one', '', 'x'.repeat(40_000), '4', 'finished']);
  });

  it('may be compressed, by a bounded amount', async () => {
    begin({ 'grpc-encoding': 'gzip' });
    send(framed(gzipSync('small'), 1));
    await noting('small');
    const bomb = gzipSync(Buffer.alloc(limits.messageBytesMax + 1));
    send(framed(bomb, 1));
    expect((await trailers()).get('grpc-message')).toContain('failed to decompress');
    await noting('cancelled');
  });

  it('compressed in a way that nobody knows are refused', async () => {
    begin({ 'grpc-encoding': 'zstd' });
    send(framed('x', 1));
    expect((await trailers()).get('grpc-status')).toBe('12');
  });

  it('that are too large are refused by their length', async () => {
    begin();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(limits.messageBytesMax + 1, 1);
    send(prefix);
    const end = await trailers();
    expect(end.get('grpc-status')).toBe('8');
    expect(end.get('grpc-message')).toContain('received message larger than max');
  });
});

describe('a call', () => {
  it('ends by what its service throws', async () => {
    begin();
    send(framed('thirteenbytes'));
    const end = await trailers();
    expect([...end].map(([, value]) => value)).toEqual([
      '200',
      'application/grpc',
      '14',
      'etcdserver: no leader',
    ]);
    expect(noted).toEqual(['cancelled']);
  });

  it('tells any words', async () => {
    begin();
    await until('the call', () => calls.length === 1);
    calls[0]?.end(new EtcdError(2, '50 % of "größe"\n'));
    expect((await trailers()).get('grpc-message')).toBe('50 %25 of "gr%C3%B6%C3%9Fe"%0A');
  });

  it('has the deadline that its client gives it', async () => {
    begin({ 'grpc-timeout': '50m' });
    const end = await trailers();
    expect(end.get('grpc-status')).toBe('4');
    expect(noted).toEqual(['cancelled']);
  });

  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['99999999u', 99_999.999],
    ['5000000n', 5],
  ])('reads %s as %d ms', async (text, ms) => {
    begin({ 'grpc-timeout': text });
    await until('the call', () => calls.length === 1);
    expect(calls[0]?.timeoutMs).toBeCloseTo(ms);
  });

  it('with a deadline that is none is refused, and so is one of no gRPC', async () => {
    begin({ 'grpc-timeout': 'soon' });
    expect((await trailers()).get('grpc-status')).toBe('13');
    const headers = [
      [':path', '/a.B/C'],
      ['content-type', 'text/plain'],
    ] as const;
    client.send(FrameType.headers, Flag.endHeaders, 3, encodeHeaders(headers));
    await until('an answer', () => client.of(FrameType.headers).some(({ id }) => id === 3));
    expect((await trailers()).get(':status')).toBe('415');
    expect(calls).toEqual([]);
  });

  it('says nothing after its end', async () => {
    begin();
    await until('the call', () => calls.length === 1);
    const [call] = calls;
    call?.send(Buffer.from('m'), () => noted.push('written'));
    call?.end(null);
    call?.send(Buffer.from('late'), () => noted.push('late'));
    call?.answer(Buffer.from('late'));
    call?.end(EtcdError.of('noLeader'));
    expect((await trailers()).get('grpc-status')).toBe('0');
    expect(client.dataBytes(1)).toBe(6);
    expect(noted).toEqual(['written']);
  });
});
