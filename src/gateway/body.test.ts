import { describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { FakeMembers } from './fake_members.ts';

interface Upload {
  readonly request: Request;
  /** Whether the gateway told the sender to stop. */
  readonly canceled: () => boolean;
  readonly sentBytes: () => number;
}

const CHUNK_BYTES = 65_536;

/** An upload of so many bytes that then ends, hangs or breaks. */
function upload(
  bytes: number,
  then: 'ends' | 'hangs' | 'breaks',
  headers: Record<string, string> = {},
): Upload {
  let canceled = false;
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent < bytes) {
        const size = Math.min(CHUNK_BYTES, bytes - sent);
        sent += size;
        controller.enqueue(new Uint8Array(size).fill(0x61));
      } else if (then === 'ends') controller.close();
      else if (then === 'breaks') controller.error(new Error('Network connection lost.'));
      else return new Promise(() => {});
    },
    cancel() {
      canceled = true;
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, headers, duplex: 'half' };
  const request = new Request('http://edge.example/v3/kv/put', init);
  return { request, canceled: () => canceled, sentBytes: () => sent };
}

async function messageOf(response: Response): Promise<string> {
  return ((await response.json()) as { message: string }).message;
}

describe('a body of unknown length', () => {
  it('is taken up to the limit', async () => {
    const members = new FakeMembers();
    const { request } = upload(limits.bodyBytesMax, 'ends');
    expect((await members.send(request)).status).toBe(200);
    expect(members.seen[0]?.body.length).toBe(limits.bodyBytesMax);
  });

  it('is cut off beyond it', async () => {
    const members = new FakeMembers();
    const large = upload(10 * limits.bodyBytesMax, 'ends');
    const response = await members.send(large.request);
    expect(response.status).toBe(429);
    expect(await messageOf(response)).toMatch(
      /^grpc: received message larger than max \(\d+ vs\. 2097152\)$/,
    );
    expect(large.canceled()).toBe(true);
    expect(large.sentBytes()).toBeLessThanOrEqual(limits.bodyBytesMax + 4 * CHUNK_BYTES);
    expect(members.seen).toEqual([]);
  });
});

describe('a declared length', () => {
  it('beyond the limit is refused before anything is read', async () => {
    const members = new FakeMembers();
    const large = upload(1_000, 'hangs', { 'content-length': '8388609' });
    const response = await members.send(large.request);
    expect(response.status).toBe(429);
    expect(await messageOf(response)).toContain('(8388609 vs. 2097152)');
    expect(large.canceled()).toBe(true);
  });

  it('within it is read as one text', async () => {
    const members = new FakeMembers();
    const { request } = upload(100_000, 'ends', { 'content-length': '100000' });
    expect((await members.send(request)).status).toBe(200);
    expect(members.seen[0]?.body).toBe('a'.repeat(100_000));
  });
});

describe('a mark of byte order', () => {
  const marked = ['\ufeff{}', '\ufeff', '\ufeff{"key":"ü"}'];

  it.each(marked)('is for the decoder to refuse: %j', async (body) => {
    for (const isDeclared of [false, true]) {
      const members = new FakeMembers();
      const bytes = new TextEncoder().encode(body);
      const headers: HeadersInit = isDeclared ? { 'content-length': `${bytes.length}` } : {};
      const init = { method: 'POST', body: bytes, headers };
      expect((await members.send(new Request('http://edge.example/v3/kv/put', init))).status).toBe(
        200,
      );
      expect(members.seen[0]?.body).toBe(body);
    }
  });

  it.each(['{"key":"ü"}', '€', '{}\ufeff'])('is not seen where there is none: %j', async (body) => {
    const members = new FakeMembers();
    const bytes = new TextEncoder().encode(body);
    const headers = { 'content-length': `${bytes.length}` };
    const init = { method: 'POST', body: bytes, headers };
    await members.send(new Request('http://edge.example/v3/kv/put', init));
    expect(members.seen[0]?.body).toBe(body);
  });
});

describe.each([{}, { 'content-length': '100' }])('a sender that stops, with %j', (headers) => {
  it('is sent away after the deadline', async () => {
    const members = new FakeMembers({}, { bodyTimeoutMs: 20 });
    const slow = upload(10, 'hangs', headers);
    const response = await members.send(slow.request);
    expect(response.status).toBe(408);
    expect(await response.json()).toMatchObject({ code: 1 });
    expect(members.seen).toEqual([]);
  });

  it('is told so when the connection ended', async () => {
    const members = new FakeMembers();
    const response = await members.send(upload(10, 'breaks', headers).request);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: 'unexpected EOF',
      message: 'unexpected EOF',
      code: 3,
    });
    expect(members.seen).toEqual([]);
  });
});
