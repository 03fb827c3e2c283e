import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { sendSignal } from '../../src/local/process.ts';
import { currentRevision } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { Watcher } from './watcher.ts';
import { checkHistory, runWriters } from './writers.ts';

describe('watchers of a local cluster', () => {
  const workshop = new Workshop();
  let port = 0;
  let dataDir = '';

  beforeEach(async () => {
    port = await freeFirstPort();
    dataDir = workshop.dataDir();
  });
  afterEach(() => workshop.clear());

  const endpoint = (cluster: RunningCluster, i: number): string =>
    must(cluster.endpoints[i], 'a member of the cluster');

  /** Lets watchers run beside the work, and checks that all have seen the same in the end. */
  async function watched(
    watchers: readonly Watcher[],
    work: () => Promise<{ readonly before: number; readonly revision: number }>,
  ): Promise<void> {
    const running = watchers.map((watcher) => watcher.run());
    const broken = Promise.all(running).then(() => new Promise<never>(() => {}));
    const { before, revision } = await Promise.race([work(), broken]);
    const all = eventually('every watcher has seen everything', 30_000, () =>
      watchers.every(({ events }) => events.length === revision - before),
    );
    await Promise.race([all, broken]);
    for (const watcher of watchers) watcher.stop();
    await Promise.all(running);
    const [first, ...others] = watchers.map(({ events }) => events);
    for (const other of others) expect(other).toEqual(first);
  }

  test('see every event once and in order while members are killed', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const before = await currentRevision(endpoint(cluster, 0));
    const watchers = [
      ...cluster.endpoints.map((url) => new Watcher([url], 'k/', before + 1)),
      new Watcher(cluster.endpoints, 'k/', before + 1),
    ];
    let killed = 0;
    await watched(watchers, async () => {
      const [history] = await Promise.all([
        runWriters({
          endpoints: cluster.endpoints,
          prefix: 'k/',
          clients: 8,
          puts: 600,
          enough: () => killed === 3,
        }),
        (async () => {
          await eventually('all watch', 20_000, () => watchers.every(({ streams }) => streams > 0));
          // One of them leads.
          for (const name of cluster.names) {
            await sleep(700);
            await cluster.killAndAwaitReturn(name);
            killed++;
          }
        })(),
      ]);
      return { before, revision: await checkHistory(endpoint(cluster, 0), history, before) };
    });
    // They have been cut off: the members that were killed took their streams with them.
    expect(watchers.every(({ streams }) => streams > 1)).toBe(true);
  });

  test('of a member that slept through a compaction of the log go on with the stream', async () => {
    const env = { ETCD_SNAPSHOT_COUNT: '50' };
    const cluster = await workshop.launch({ dataDir, port, env });
    const before = await currentRevision(endpoint(cluster, 0));
    const watcher = new Watcher([endpoint(cluster, 2)], 'k/', before + 1);
    await watched([watcher], async () => {
      const some = { endpoints: cluster.endpoints.slice(0, 2), clients: 8 };
      await runWriters({ ...some, prefix: 'k/a', puts: 20 });
      await eventually('the watcher listens', 10_000, () => watcher.events.length > 0);
      const pid = cluster.memberPid('m3');
      sendSignal(pid, 'SIGSTOP');
      await runWriters({ ...some, prefix: 'k/b', puts: 2_000 });
      sendSignal(pid, 'SIGCONT');
      await runWriters({ ...some, prefix: 'k/c', puts: 20 });
      return { before, revision: await currentRevision(endpoint(cluster, 0)) };
    });
    expect(watcher.streams).toBe(1);
    expect(cluster.output).toMatch(/a snapshot of index \d+ has reached/);
  });
});
