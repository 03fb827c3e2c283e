import { describe, expect, it } from 'vitest';
import { EtcdError } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { textOf } from '../../lib/bytes.ts';
import { jsonLines } from './format.ts';
import { HttpAnswer } from './http_answer.ts';
import { HttpOutlet } from './http_outlet.ts';

const HEADERS = { 'x-begun': 'yes' };

function setUp() {
  const answer = new HttpAnswer(() => HEADERS, '\n', 0);
  let response: Response | null = null;
  void answer.response.then((given) => {
    response = given;
  });
  const gone: string[] = [];
  answer.whenGone(() => gone.push('gone'));
  return { answer, outlet: new HttpOutlet(answer, jsonLines), gone, response: () => response };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

async function readerOf(answer: HttpAnswer) {
  const { body } = await answer.response;
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  return {
    cancel: () => reader.cancel(),
    next: async () => {
      const { done, value } = await reader.read();
      return done ? null : textOf(value);
    },
  };
}

describe('the head of an answer', () => {
  it('goes with the first frame', async () => {
    const { outlet, response } = setUp();
    await turn();
    expect(response()).toBeNull();
    outlet.frame('{"a":1}', null);
    await turn();
    expect(response()).toMatchObject({ status: 200 });
    expect(response()?.headers.get('x-begun')).toBe('yes');
  });

  it('goes with the end when there is no frame', async () => {
    const { answer, outlet } = setUp();
    outlet.end(null);
    const response = await answer.response;
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('has the status of an error that comes first', async () => {
    const { answer, outlet } = setUp();
    outlet.end(EtcdError.of('noLeader'));
    const response = await answer.response;
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { grpc_code: 14, http_code: 503 } });
  });

  it('has that of a request that cannot be read, told as of a unary method', async () => {
    const { answer, outlet } = setUp();
    outlet.malformed(EtcdError.of('keyNotProvided'));
    const response = await answer.response;
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 3, error: expect.any(String) });
  });
});

describe('the body', () => {
  it('is a chunk for each frame, and the error as the last without a newline', async () => {
    const { answer, outlet } = setUp();
    outlet.frame('{"a":1}', null);
    outlet.frame('{"a":2}', null);
    outlet.end(EtcdError.of('noLeader'));
    outlet.frame('{"a":3}', null);
    const reader = await readerOf(answer);
    expect(await reader.next()).toBe('{"result":{"a":1}}\n');
    expect(await reader.next()).toBe('{"result":{"a":2}}\n');
    expect(await reader.next()).toMatch(/^\{"error":\{"grpc_code":14,.*\}\}$/);
    expect(await reader.next()).toBeNull();
  });

  it('says how much of it was not taken, and when it was', async () => {
    const { answer } = setUp();
    const text = 'a'.repeat(limits.streamHighWaterBytes);
    for (let i = 0; i < 3; i++) answer.write(text);
    expect(answer.bufferedBytes).toBe(3 * text.length);
    const told: string[] = [];
    answer.drained(() => told.push('drained'));
    const reader = await readerOf(answer);
    await reader.next();
    await reader.next();
    await turn();
    expect(told).toEqual([]);
    await reader.next();
    await turn();
    expect(told).toEqual(['drained']);
    answer.drained(() => told.push('at once, but not within the call'));
    expect(told).toHaveLength(1);
    await turn();
    expect(told).toHaveLength(2);
  });

  it('ends when nobody reads it any more', async () => {
    const { answer, gone } = setUp();
    answer.write('a');
    await (await readerOf(answer)).cancel();
    expect(gone).toEqual(['gone']);
    answer.write('b');
    expect(answer.bufferedBytes).toBe(0);
  });

  it('ends when the request says that its client is gone, once', async () => {
    const { answer, gone } = setUp();
    answer.hungUp();
    answer.hungUp();
    answer.cutOff();
    expect(gone).toEqual(['gone']);
    const late: string[] = [];
    answer.whenGone(() => late.push('told'));
    expect(late).toEqual(['told']);
  });

  it('is broken off when its client is cut off', async () => {
    const { answer, gone } = setUp();
    answer.write('a');
    const reader = await readerOf(answer);
    answer.cutOff();
    await expect(reader.next()).rejects.toThrow('the client does not read');
    expect(gone).toEqual(['gone']);
  });
});

describe('a heartbeat', () => {
  const { streamHeartbeatMs, streamStallMs } = limits;

  it('is a blank line when nothing was sent for a while, and brings the head', async () => {
    const { answer, response } = setUp();
    answer.beat(streamHeartbeatMs - 1);
    await turn();
    expect(response()).toBeNull();
    answer.beat(streamHeartbeatMs);
    const reader = await readerOf(answer);
    expect(await reader.next()).toBe('\n');
  });

  it('is not sent where frames are', async () => {
    const { answer } = setUp();
    answer.write('a');
    const reader = await readerOf(answer);
    await reader.next();
    answer.beat(streamHeartbeatMs - 1);
    answer.beat(streamHeartbeatMs + 1);
    answer.write('b');
    expect(await reader.next()).toBe('b');
    answer.beat(2 * streamHeartbeatMs);
    answer.beat(3 * streamHeartbeatMs - 1);
    answer.write('c');
    expect(await reader.next()).toBe('c');
  });

  it('comes again and again', async () => {
    const { answer } = setUp();
    answer.write('a');
    const reader = await readerOf(answer);
    await reader.next();
    for (let i = 1; i <= 4; i++) answer.beat(i * streamHeartbeatMs);
    expect(await reader.next()).toBe('\n');
    answer.beat(10 * streamHeartbeatMs);
    answer.beat(11 * streamHeartbeatMs);
    expect(await reader.next()).toBe('\n');
  });

  it('ends an answer of which nothing is taken for long', async () => {
    const { answer, gone } = setUp();
    const text = 'a'.repeat(2 * limits.streamHighWaterBytes);
    answer.beat(1_000);
    answer.write(text);
    answer.write(text);
    answer.beat(streamStallMs + 999);
    const reader = await readerOf(answer);
    await reader.next();
    answer.beat(streamStallMs + 2_000);
    answer.beat(2 * streamStallMs + 1_999);
    expect(gone).toEqual([]);
    answer.beat(2 * streamStallMs + 2_000);
    expect(gone).toEqual(['gone']);
  });
});
