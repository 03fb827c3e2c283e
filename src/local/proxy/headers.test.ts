import { expect, test } from 'vitest';
import { headText, passedOn, requestHeaders } from './headers.ts';

const raw = [
  ...['Host', 'proxy.example', 'Connection', 'close, X-Private', 'X-Private', '1'],
  ...['Keep-Alive', '5', 'TE', 'trailers', 'Transfer-Encoding', 'chunked', 'Upgrade', 'h2c'],
  ...['Accept', 'a', 'accept', 'b', 'Authorization', 'token'],
];

test('headers of one connection are not passed on; others are, as they were written', () => {
  expect(passedOn(raw)).toEqual([
    ...['Host', 'proxy.example', 'Accept', 'a', 'accept', 'b', 'Authorization', 'token'],
  ]);
});

test('a member is told who asks', () => {
  const sender = { address: '10.0.0.9', scheme: 'http' } as const;
  expect(requestHeaders(raw, 'member:2379', sender, 3)).toEqual([
    ...['Host', 'member:2379'],
    ...['Accept', 'a', 'accept', 'b', 'Authorization', 'token'],
    ...['X-Forwarded-For', '10.0.0.9', 'X-Forwarded-Host', 'proxy.example'],
    ...['X-Forwarded-Proto', 'http', 'Content-Length', '3'],
  ]);
});

test('proxies in a row add themselves', () => {
  const before = [
    ...['X-Forwarded-For', '1.1.1.1', 'Host', 'second'],
    ...['X-Forwarded-Host', 'first', 'X-Forwarded-Proto', 'https', 'Content-Length', '9'],
  ];
  const sender = { address: '2.2.2.2', scheme: 'http' } as const;
  expect(requestHeaders(before, 'm', sender, null)).toEqual([
    ...['Host', 'm', 'X-Forwarded-For', '1.1.1.1, 2.2.2.2'],
    ...['X-Forwarded-Host', 'first', 'X-Forwarded-Proto', 'https'],
  ]);
});

test('a head as text', () => {
  expect(headText(101, 'Switching Protocols', ['A', 'b'], 'C: d')).toBe(
    'HTTP/1.1 101 Switching Protocols\r\nA: b\r\nC: d\r\n\r\n',
  );
});
