import { describe, expect, test } from 'vitest';
import { lineLevel, Output } from './output.ts';

function recorder(isTTY = false) {
  const text: string[] = [];
  return { isTTY, text, write: (chunk: string) => text.push(chunk) };
}

test.each([
  ['stdout', 'leader is m1', 'info'],
  ['stderr', 'something odd', 'warn'],
  ['stderr', 'info: became leader', 'info'],
  ['stdout', '{"level":"error","msg":"x"}', 'error'],
  ['stderr', 'workerd/server/server.c++:12: error: Uncaught exception: x', 'error'],
  [
    'stderr',
    'workerd/io/worker.c++:12: info: uncaught; Network connection lost: disconnected',
    null,
  ],
  ['stderr', 'stack: /bin/workerd@1a2b3c4 /bin/workerd@2b3c4d5', null],
  ['stderr', 'stack: /bin/workerd@1a2b3c4; sentryErrorContext = x; wdErrId = a1', null],
  ['stdout', '', null],
] as const)('%s %j is of level %s', (stream, line, level) => {
  expect(lineLevel(stream, line)).toBe(level);
});

describe('Output', () => {
  test('shows members’ lines from its level up, with the member’s name', () => {
    const [out, err] = [recorder(), recorder()];
    const output = new Output('warn', out, err);
    output.memberLine('m1', 'stdout', 'info: hello');
    output.memberLine('m1', 'stdout', 'warn: slow disk');
    expect(err.text).toEqual(['m1 | warn: slow disk\n']);
    expect(out.text).toEqual([]);
  });

  test('a table has columns as wide as needed and no colours in a file', () => {
    const out = recorder();
    new Output('info', out, recorder()).table([
      ['member', 'pid'],
      ['m1', '12345'],
    ]);
    expect(out.text).toEqual(['member  pid\n', 'm1      12345\n']);
  });
});
