import { assert } from '../../src/lib/assert.ts';
import { linkFrom, numberFrom } from './arguments.ts';
import { idOf } from './print.ts';
import type { World } from './world.ts';

/**
 * `snapshot 1->3 [at 4] [fail]`: moves member 1's state, as of an index (what it has applied), to
 * member 3's staging area, and tells the core of member 1 how that went.
 */
export function moveSnapshot(world: World, [link, ...rest]: readonly string[]): void {
  const [from, to] = linkFrom(link);
  const sender = world.instance(from);
  const at = rest.indexOf('at');
  const index = at < 0 ? sender.state.length : numberFrom(rest[at + 1], 'an index');
  const ok = !rest.includes('fail');
  assert(index <= sender.state.length, `the state is at ${sender.state.length}`);
  const state = sender.state.slice(0, index);
  const transferId = `${from}@${sender.epoch}/${index}`;
  if (ok) world.member(to).disk.staged.set(transferId, state);
  const term = Number(state.at(-1)?.split('=')[0]);
  sender.step([{ type: 'snapshotStatus', to: idOf(to), ok, transferId, index, term }]);
}
