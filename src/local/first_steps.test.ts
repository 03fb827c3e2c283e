import { expect, test } from 'vitest';
import { ERRORS } from '../api/error.ts';
import { firstSteps } from './first_steps.ts';

const url = 'http://127.0.0.1:2379';
const stepsOf = (access: Parameters<typeof firstSteps>[0]) => firstSteps(access, url).join('\n');

test('everyone is served: a key is written and read', () => {
  expect(stepsOf('open')).toMatch(/v3\/kv\/put .*\n.*v3\/kv\/range/);
});

test('who logs in is served: the token goes with the request', () => {
  expect(stepsOf('login')).toMatch(/v3\/auth\/authenticate .*\n.*Authorization: <token>/);
});

test('nobody is served: the two ways in are those of the answer, and no request is proposed', () => {
  const [, answer] = ERRORS.closed;
  const ways = (text: string) => text.match(/\b[A-Z]+_[A-Z_]+\b/g);
  expect(ways(stepsOf('closed'))).toEqual(ways(answer));
  expect(stepsOf('closed')).not.toMatch(/curl|authenticate\b/);
});
