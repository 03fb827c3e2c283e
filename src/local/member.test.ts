import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ERRORS } from '../api/error.ts';
import { backoff, nextBackoffMs, SupervisedMember } from './member.ts';
import { Output } from './output.ts';

test('the wait doubles to its maximum and starts over after a long life', () => {
  const waits: number[] = [];
  let waitMs: number | null = null;
  for (let i = 0; i < 7; i++) {
    waitMs = nextBackoffMs(waitMs, 1_000);
    waits.push(waitMs);
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(nextBackoffMs(waitMs, backoff.resetAfterMs)).toBe(500);
});

/** What a member is found to be that answers so when it is asked for its status. */
async function settled(answer: (asked: number) => readonly [number, string]) {
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url === '/health') return response.writeHead(200).end('{"health":"true"}');
    const [status, message] = answer(++asked);
    return response.writeHead(status).end(JSON.stringify({ message }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const member = new SupervisedMember({
    address: { name: 'm1', port, peerPort: port },
    spec: { script: '', bindings: {}, persistPath: '', port },
    restart: false,
    output: new Output('error'),
    onProcess: () => {},
  });
  try {
    return await member.settle(() => false);
  } finally {
    server.close();
  }
}

test('a member whose leader has still to enable authentication is not taken for closed', async () => {
  const [, closed] = ERRORS.closed;
  const probe = await settled((asked) => (asked < 5 ? [503, closed] : [400, 'log in']));
  expect(probe).toEqual({ state: 'ready', memberId: null, leaderId: null });
});

test('a member that stays closed is told as such', async () => {
  const [, closed] = ERRORS.closed;
  const probe = await settled(() => [503, closed]);
  expect(probe).toMatchObject({ state: 'ready', closed: true });
});
