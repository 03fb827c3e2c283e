import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readJoinCommandLine } from './join-command-line.ts';

const FIRST = '--join http://127.0.0.1:2379 --name m4';

test('the first start needs a cluster and a name', () => {
  expect(readJoinCommandLine(FIRST.split(' '))).toEqual({
    join: 'http://127.0.0.1:2379',
    name: 'm4',
    port: null,
    peerUrl: null,
    dataDir: resolve('.edgetcd-m4'),
    learner: false,
    secretFrom: resolve('.edgetcd'),
    user: null,
    logLevel: 'info',
    restart: true,
    grpc: true,
  });
});

test('a later one needs the data directory', () => {
  expect(readJoinCommandLine(['--data-dir', '/x'])).toMatchObject({
    join: null,
    name: null,
    dataDir: resolve('/x'),
  });
});

test('every flag', () => {
  const more =
    '--port 4 --peer-url http://10.0.0.4:4/ --data-dir /x --learner --secret-from /y ' +
    '--user root:a:b --log-level warn --no-restart';
  expect(readJoinCommandLine([...FIRST.split(' '), ...more.split(' ')])).toMatchObject({
    port: 4,
    peerUrl: 'http://10.0.0.4:4',
    dataDir: resolve('/x'),
    learner: true,
    secretFrom: resolve('/y'),
    user: 'root:a:b',
    logLevel: 'warn',
    restart: false,
  });
});

test.each([
  ['', '--join and --name are missing'],
  ['--name m4', '--join and --name are missing'],
  ['--join http://a:1', '--name is missing'],
  ['--join a:1 --name m4', '--join must be like http://127.0.0.1:2379, not "a:1"'],
  ['--join http://a:1/v3 --name m4', '--join must be like'],
  [`${FIRST} --port 0`, '--port must be a number'],
  [`${FIRST} --user root`, '--user must be name:password'],
  [`${FIRST} --size 3`, '--size'],
  [`${FIRST} now`, 'unexpected argument "now"'],
])('"%s" is refused', (argv, message) => {
  expect(() => readJoinCommandLine(argv.split(' ').filter(Boolean))).toThrow(message);
});
