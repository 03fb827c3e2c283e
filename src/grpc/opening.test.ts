import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openHttp2 } from './opening.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
const ACK = Buffer.of(0, 0, 0, 4, 1, 0, 0, 0, 0);
/** `http://` and `127.0.0.1`, as HPACK's Huffman code has them: from Go's encoder. */
const URL_CODED = Buffer.from('9d29aee30c044fd41725f1', 'hex');

/** The headers of a GET of `/` whose `:authority` is this literal. */
function headers(authority: Buffer, coded: boolean): Buffer {
  const length = authority.length | (coded ? 0x80 : 0);
  const block = Buffer.concat([Buffer.of(0x82, 0x84, 0x86, 0x41, length), authority]);
  const head = Buffer.of(0, 0, block.length, 1, 5, 0, 0, 0, 1);
  return Buffer.concat([head, block]);
}

/** Sends these pieces one after the other. @returns the `:authority` that arrived, or the error */
async function arrived(pieces: readonly Buffer[]): Promise<string> {
  const http2 = createHttp2Server();
  const server = createServer((socket) => {
    openHttp2(socket, (opened) => http2.emit('connection', opened));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const result = new Promise<string>((resolve) => {
    http2.on('stream', (stream, { ':authority': authority }) => {
      stream.respond({ ':status': 200 }, { endStream: true });
      resolve(String(authority));
    });
    http2.on('sessionError', (error) => resolve(error.message));
  });
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('data', () => undefined);
  for (const piece of pieces) {
    client.write(piece);
    await sleep(20);
  }
  const refused = sleep(500).then(() => 'nothing');
  const authority = await Promise.race([result, refused]);
  client.destroy();
  server.close();
  return authority;
}

describe('the opening of a connection', () => {
  it('makes a host of the URL that etcdctl 3.4 sends', async () => {
    const coded = headers(URL_CODED, true);
    expect(await arrived([PREFACE, SETTINGS, ACK, coded])).toMatch(/^http:--/);
    const plain = headers(Buffer.from('http://127.0.0.1:2379'), false);
    expect(await arrived([PREFACE, SETTINGS, ACK, plain])).toBe('http:--127.0.0.1:2379');
    const secure = headers(Buffer.from('https://localhost:2379'), false);
    expect(await arrived([PREFACE, SETTINGS, ACK, secure])).toBe('https:--localhost:2379');
  });

  it('leaves others as they are, however they come', async () => {
    const request = headers(Buffer.from('127.0.0.1:2379'), false);
    const host = '127.0.0.1:2379';
    expect(await arrived([Buffer.concat([PREFACE, SETTINGS, request]), ACK])).toBe(host);
    expect(await arrived([Buffer.concat([PREFACE, SETTINGS]), Buffer.concat([ACK, request])])).toBe(
      host,
    );
    const bytes = Buffer.concat([PREFACE, SETTINGS, ACK, request]);
    const halves = [bytes.subarray(0, 30), bytes.subarray(30, 50), bytes.subarray(50)];
    expect(await arrived(halves)).toBe(host);
  });

  it('does not wait for a first request', async () => {
    const request = headers(Buffer.from('127.0.0.1'), false);
    const pause = Array.from({ length: 10 }, () => Buffer.alloc(0));
    expect(await arrived([Buffer.concat([PREFACE, SETTINGS, ACK]), ...pause, ACK, request])).toBe(
      '127.0.0.1',
    );
  });
});
