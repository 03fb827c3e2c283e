import { expect, test } from 'vitest';
import { MEMBER_BUGS } from '../../src/member/bugs.ts';
import { BUGS } from '../../src/raft/bugs.ts';
import { STATE_BUGS } from '../../src/state/bugs.ts';
import { WATCH_BUGS } from '../../src/watch/bugs.ts';
import { V2_WATCH_BUGS } from '../../src/watch/v2/bugs.ts';
import { CORE_BUGS, CORE_BUGS_OF_FIVE, CORE_BUGS_OF_THREE, SERVICE_BUGS } from './bugs.ts';

test('every historic bug that the code knows by name is hunted somewhere', () => {
  const lists = [BUGS, STATE_BUGS, WATCH_BUGS, V2_WATCH_BUGS, MEMBER_BUGS];
  const known = lists.flatMap((bugs) => Object.keys(bugs));
  const hunted = [CORE_BUGS, SERVICE_BUGS].flatMap((bugs) => Object.values(bugs).flat());
  expect([...hunted, ...CORE_BUGS_OF_THREE, ...CORE_BUGS_OF_FIVE].sort()).toEqual(known.sort());
});
