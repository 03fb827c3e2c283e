import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { CallFailed, currentRevision, get, hashAgreement, leaderOf, put } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { checkHistory, runWriters } from './writers.ts';

describe('a local cluster under faults', () => {
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

  test('keeps every acknowledged put while one member after another is killed', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const before = await currentRevision(endpoint(cluster, 0));
    let killed = 0;
    const [history] = await Promise.all([
      runWriters({
        endpoints: cluster.endpoints,
        prefix: 'k/',
        clients: 16,
        puts: 1_000,
        enough: () => killed === 3,
      }),
      (async () => {
        for (const name of cluster.names) {
          await sleep(500);
          await cluster.killAndAwaitReturn(name);
          killed++;
        }
      })(),
    ]);
    expect(history.clients.flat().length).toBeGreaterThanOrEqual(1_000);
    let revision = 0;
    for (const url of cluster.endpoints) revision = await checkHistory(url, history, before);
    await hashAgreement(cluster.endpoints, revision);
  });

  test('keeps every acknowledged put when everything is killed at once', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const before = await currentRevision(endpoint(cluster, 0));
    const options = { endpoints: cluster.endpoints, prefix: 'k/', clients: 16 };
    // The last puts are answered a moment before the lights go out.
    const history = await runWriters({ ...options, puts: 300 });
    await cluster.killEverything();
    const again = await workshop.launch({ dataDir, port });
    let revision = 0;
    for (const url of again.endpoints) revision = await checkHistory(url, history, before);
    await hashAgreement(again.endpoints, revision);
  });

  test('all members killed under one supervisor come back with their data', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const before = await currentRevision(endpoint(cluster, 0));
    const options = { endpoints: cluster.endpoints, prefix: 'k/', clients: 4, puts: 100 };
    let back = false;
    const [history] = await Promise.all([
      runWriters({ ...options, enough: () => back }),
      (async () => {
        await sleep(200);
        await Promise.all(cluster.names.map((name) => cluster.killAndAwaitReturn(name)));
        back = true;
      })(),
    ]);
    const revision = await checkHistory(endpoint(cluster, 1), history, before);
    await hashAgreement(cluster.endpoints, revision);
  });

  test('a member that lost its directory is refused and never votes', async () => {
    const first = await workshop.launch({ dataDir, port });
    await put(endpoint(first, 0), 'known', 'yes');
    await first.stop();
    rmSync(join(dataDir, 'm3'), { recursive: true });

    const cluster = await workshop.launch({ dataDir, port, flags: ['--no-restart'] });
    await cluster.waitFor(/m3 does not serve: .*lost its data/, 20_000);
    for (const url of cluster.endpoints.slice(0, 2)) {
      await put(url, `by ${url}`, 'here');
      expect(await get(url, 'known')).toBe('yes');
    }
    await expect(put(endpoint(cluster, 2), 'by m3', 'no')).rejects.toThrow(CallFailed);

    // One of two voters is left. If the empty member voted or acknowledged, m1 could still commit.
    cluster.killMember('m2');
    await expect(put(endpoint(cluster, 0), 'too few', 'no', 10_000)).rejects.toThrow(CallFailed);
    await eventually('m1 knows that it has no leader', 15_000, () =>
      leaderOf(endpoint(cluster, 0)).then(
        ({ leader }) => leader === '0',
        () => false,
      ),
    );
  });

  test('a member that missed 1,000 puts catches up beyond the compacted log', async () => {
    const env = { ETCD_SNAPSHOT_COUNT: '100' };
    const first = await workshop.launch({ dataDir, port, env, flags: ['--no-restart'] });
    const before = await currentRevision(endpoint(first, 0));
    first.killMember('m3');
    const history = await runWriters({
      endpoints: first.endpoints.slice(0, 2),
      prefix: 'k/',
      clients: 16,
      puts: 1_000,
    });
    expect(await first.stop()).toBe(0);

    const again = await workshop.launch({ dataDir, port, env });
    let revision = 0;
    for (const url of again.endpoints) revision = await checkHistory(url, history, before);
    await hashAgreement(again.endpoints, revision);
    // And it takes part: with another member gone, two of three still write.
    again.killMember('m1');
    await eventually('m2 and m3 serve without m1', 20_000, () =>
      put(endpoint(again, 2), 'after', 'yes').then(
        () => true,
        () => false,
      ),
    );
    expect(await get(endpoint(again, 1), 'after')).toBe('yes');
  });
});
