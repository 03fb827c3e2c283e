import { describe, expect, test } from 'vitest';
import type { CallContext } from './call.ts';
import { decodeHints, decodeStreamCall, encodeHints, encodeStreamCall } from './stream-call.ts';

const CONTEXT: CallContext = { token: 'a.b', timeoutMs: 5, requireLeader: true };

describe('a call that is more than one answer', () => {
  test.each(['stream', 'events', 'socket', 'wait'] as const)('%s arrives as sent', (delivery) => {
    const call = { delivery, path: '/v3/watch', context: CONTEXT };
    expect(decodeStreamCall(encodeStreamCall(call, {}))).toEqual(call);
  });

  test('a token may hold what no header may, a path what no URL may', () => {
    const context = { ...CONTEXT, token: 'ключ\r\nx: y' };
    const call = { delivery: 'socket', path: '/v3/a?b#c d', context } as const;
    expect(decodeStreamCall(encodeStreamCall(call, {}))).toEqual(call);
  });

  test('the body goes along', async () => {
    const call = { delivery: 'stream', path: '/v3/watch', context: CONTEXT } as const;
    const request = encodeStreamCall(call, { method: 'POST', body: '{}' });
    expect(await request.text()).toBe('{}');
  });

  test.each(['http://member/raft', 'http://member/stream/%2Fv3%2Fwatch', 'http://member/other/x'])(
    '%s without a context is none',
    (url) => {
      expect(decodeStreamCall(new Request(url))).toBeNull();
    },
  );
});

describe('hints', () => {
  test.each([
    { leader: null, retry: false },
    { leader: 'm 2', retry: true },
  ])('%j', (hints) => {
    expect(decodeHints(new Headers(encodeHints(hints)))).toEqual(hints);
  });
});
