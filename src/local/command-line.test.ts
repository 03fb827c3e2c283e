import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readCommandLine } from './command-line.ts';

test('nothing said: the data directory or a default decides', () => {
  expect(readCommandLine([])).toEqual({
    port: null,
    size: null,
    name: null,
    dataDir: resolve('.edgetcd'),
    logLevel: 'info',
    restart: true,
    grpc: true,
    defaults: { port: 2379, size: 3, name: 'edgetcd' },
  });
});

test('every flag', () => {
  const argv = '--port 23790 --data-dir=/x/y --size 5 --name blue --log-level warn --no-restart';
  expect(readCommandLine(argv.split(' '))).toMatchObject({
    port: 23790,
    dataDir: resolve('/x/y'),
    size: 5,
    name: 'blue',
    logLevel: 'warn',
    restart: false,
  });
});

test.each([
  ['--size 4', '--size must be one of 1, 3, 5, not "4"'],
  ['--port 0', '--port must be a number from 1 to 65535, not "0"'],
  ['--port 65536', 'not "65536"'],
  ['--port 1.5', 'not "1.5"'],
  ['--port', '--port'],
  ['--data-dir', '--data-dir'],
  ['--port 1 --port 2', 'more than once'],
  ['--log-level loud', '--log-level must be one of debug, info, warn, error, not "loud"'],
  ['--name a/b', '--name must be'],
  ['--prot 1', '--prot'],
  ['stop', 'unexpected argument "stop"'],
])('%s is refused', (argv, message) => {
  expect(() => readCommandLine(argv.split(' '))).toThrow(message);
});
