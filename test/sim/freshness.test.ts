import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { CalmCluster } from './calm_cluster.ts';
import type { Instance } from './instance.ts';

const NEAR = { latencyMs: 0.1, syncMs: 0.1, quiesceAfterMs: 0 };

/** Simulated milliseconds until what a lone put at the leader wrote is applied at that member. */
async function lagMs(calm: CalmCluster, member: Instance, key: string): Promise<number> {
  const { revision } = member.runtime.node.machine;
  const isPut = calm.put(key);
  const startUs = calm.world.nowUs;
  while (member.runtime.node.machine.revision === revision) await calm.run(0.1);
  await calm.run(1_000);
  expect(isPut()).toBe(true);
  return (calm.world.nowUs - startUs) / 1_000 - 1_000;
}

test('a follower hears of a lone write at once while clients watch there, else a little later', async () => {
  const calm = new CalmCluster(3, NEAR);
  await calm.run(5_000);
  const [leader] = calm.cluster.leaders;
  const followers = calm.cluster.members.filter(({ current }) => current !== leader);
  const follower = must(followers[0]?.current, 'a follower');
  expect(await lagMs(calm, follower, 'a')).toBeGreaterThan(limits.commitDelayMs / 2);

  const heard: number[] = [];
  const stop = follower.runtime.watches.watch(
    { key: utf8('b') },
    { events: (_, revision) => heard.push(revision), compacted: () => {} },
  );
  await calm.run(1_000);
  expect(await lagMs(calm, follower, 'b')).toBeLessThan(limits.commitDelayMs / 2);
  expect(heard).toHaveLength(1);

  stop();
  await calm.run(1_000);
  expect(await lagMs(calm, follower, 'c')).toBeGreaterThan(limits.commitDelayMs / 2);
});
