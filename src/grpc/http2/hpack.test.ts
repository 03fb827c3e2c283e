import { once } from 'node:events';
import { connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { must } from '../../lib/assert.ts';
import { encodeHeaders, HpackDecoder, HpackError } from './hpack.ts';
import { decodeHuffman } from './huffman.ts';

const hex = (text: string): Buffer => Buffer.from(text.replace(/ /g, ''), 'hex');
const decoder = (): HpackDecoder => new HpackDecoder(4_096);
const pairs = (headers: Iterable<readonly [string, string]>): string[] =>
  [...headers].map(([name, value]) => `${name}: ${value}`);

describe('a block of headers', () => {
  // RFC 7541, C.4: three requests on one connection, by Huffman's code.
  it("is read as the RFC's examples say, each with what those before have left", () => {
    const own = decoder();
    const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
    const coded = '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff';
    expect(pairs(own.decode(hex(coded)))).toEqual(first);
    const cached = [...first, 'cache-control: no-cache'];
    expect(pairs(own.decode(hex('8286 84be 5886 a8eb 1064 9cbf')))).toEqual(cached);
    const last = '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf';
    expect(pairs(own.decode(hex(last)))).toEqual([
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ]);
  });

  it('forgets the oldest where there is no room, and all of it when told to', () => {
    const own = decoder();
    const field = (name: string, bytes: number): Buffer => {
      const size = Buffer.of(127, ...varint(bytes - 127));
      const value = Buffer.concat([size, Buffer.alloc(bytes, 'v')]);
      return Buffer.concat([Buffer.of(0x40, name.length), Buffer.from(name), value]);
    };
    own.decode(Buffer.concat([field('a', 2_000), field('b', 1_900)]));
    expect([...own.decode(hex('be bf')).keys()]).toEqual(['b', 'a']);
    own.decode(field('c', 300));
    expect([...own.decode(hex('be bf')).keys()]).toEqual(['c', 'b']);
    expect(() => own.decode(hex('c0'))).toThrow(HpackError);
    own.decode(hex('20'));
    expect(() => own.decode(hex('be'))).toThrow(HpackError);
  });

  it.each([
    ['80', 'field 0'],
    ['ff ff ff ff ff 0f', 'a number without an end'],
    ['00 05 61', 'a name that is cut short'],
    ['00 01 61 7f', 'a length that is cut short'],
    ['00 81 00 01 61', 'padding of zeros'],
    ['00 84 ff ff ff ff 01 61', 'the end of a string within one'],
    ['3f e2 1f', 'a table larger than the server allows'],
  ])('%s is refused: %s', (block) => {
    expect(() => decoder().decode(hex(block))).toThrow(HpackError);
  });

  it('has a bound, also where little is sent', () => {
    const own = decoder();
    const value = Buffer.alloc(100, 'v');
    own.decode(Buffer.concat([Buffer.of(0x40, 1, 0x61, 100), value]));
    expect(() => own.decode(Buffer.alloc(40, 0xbe))).toThrow('the headers are too large');
  });

  it('joins values of one name', () => {
    const twice = Buffer.of(0, 1, 0x61, 1, 0x62, 0, 1, 0x61, 1, 0x63);
    expect(decoder().decode(twice).get('a')).toBe('b,c');
  });

  it('is written so that it can be read', () => {
    const fields = [
      [':status', '200'],
      [':status', '415'],
      ['grpc-status', '14'],
      ['grpc-message', 'x'.repeat(126)],
      ['a', 'y'.repeat(127)],
      ['b', 'z'.repeat(1_000)],
    ] as const;
    for (const field of fields) {
      expect([...decoder().decode(encodeHeaders([field]))]).toEqual([field]);
    }
    // Field 8 of the static table.
    expect(encodeHeaders([[':status', '200']])).toEqual(Buffer.of(0x88));
  });

  it('of another implementation is read, whatever is in it', async () => {
    const sent = Array.from({ length: 40 }, (_, i) => ({
      ':path': `/service/method${i % 3}`,
      'grpc-timeout': `${i}00m`,
      [`x-${i}`]: Array.from({ length: 120 }, (_, at) => {
        return String.fromCharCode(33 + ((at * (i + 1)) % 94));
      }).join(''),
    }));
    const received = await blocksOf(sent);
    const own = new HpackDecoder(65_536);
    received.forEach((block, i) => {
      const headers = own.decode(block);
      for (const [name, value] of Object.entries(must(sent[i], 'it was sent'))) {
        expect(headers.get(name)).toBe(value);
      }
    });
    expect(received).toHaveLength(sent.length);
  });
});

it("Huffman's code knows every octet that is allowed in a value", () => {
  // RFC 7541, C.4.1 and C.6.1.
  expect(decodeHuffman(hex('f1e3 c2e5 f23a 6ba0 ab90 f4ff'))).toBe('www.example.com');
  expect(decodeHuffman(hex('9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3'))).toBe(
    'https://www.example.com',
  );
  expect(decodeHuffman(Buffer.alloc(0))).toBe('');
  expect(decodeHuffman(hex('ff'))).toBeNull();
});

/** The blocks of headers in which Node's client sends these requests. */
async function blocksOf(requests: readonly Record<string, string>[]): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  let bytes = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, 'remoteSettings');
  for (const headers of requests) client.request(headers).on('error', () => undefined);
  for (let waits = 0; blocks.length < requests.length && waits < 200; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    blocks.length = 0;
    for (let at = 24; at + 9 <= bytes.length; ) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (bytes[at + 3] === 1 && end <= bytes.length) blocks.push(bytes.subarray(at + 9, end));
      at = end;
    }
  }
  client.destroy();
  server.close();
  return blocks;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
