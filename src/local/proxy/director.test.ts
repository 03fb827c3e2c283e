import { describe, expect, test } from 'vitest';
import { proxyLimits } from '../../config/proxy.ts';
import { Director } from './director.ts';
import { Endpoint, inOrder } from './endpoint.ts';
import type { Sighting } from './probe.ts';

describe('the order of endpoints', () => {
  const endpoint = (url: string, lot: number, latencyMs: number | null, isHealthy = true) =>
    Object.assign(new Endpoint(url, lot), { latencyMs, isHealthy });
  const order = (...endpoints: Endpoint[]) => inOrder(endpoints, 10).map(({ url }) => url);

  test('the healthy come first, however far they are', () => {
    expect(order(endpoint('a', 0, 1, false), endpoint('b', 1, 500))).toEqual(['b', 'a']);
  });

  test('the near come before the far', () => {
    const all = [endpoint('far', 0, 300), endpoint('near', 2, 5), endpoint('mid', 1, 90)];
    expect(order(...all)).toEqual(['near', 'mid', 'far']);
  });

  test('of those that are about as near the lot decides', () => {
    const all = [endpoint('a', 3, 1), endpoint('b', 1, 9), endpoint('c', 2, null)];
    expect(order(...all)).toEqual(['b', 'c', 'a']);
  });
});

/** A director whose members and clock the test has. */
function directed(urls: readonly string[]) {
  const world = {
    nowMs: 1_000,
    urls,
    sightings: new Map<string, Sighting | null>(),
    probed: [] as string[],
    finds: 0,
  };
  const director = new Director({
    find: async () => {
      world.finds++;
      return world.urls;
    },
    refreshIntervalMs: 30_000,
    failureWaitMs: 5_000,
    writeTimeoutMs: 0,
    output: { line: () => {}, warning: () => {} },
    probe: async (url) => {
      world.probed.push(url);
      const seen = world.sightings.get(url);
      return seen === undefined ? { latencyMs: 1, isHealthy: true } : seen;
    },
    nowMs: () => world.nowMs,
  });
  const tickAt = async (nowMs: number) => {
    world.nowMs = nowMs;
    director.tick();
    await new Promise(setImmediate);
  };
  const available = () => director.available.map(({ url }) => url).sort();
  return { director, world, tickAt, available };
}

describe('a director', () => {
  test('leaves a failed member out until the wait is over and it is there again', async () => {
    const { director, world, tickAt, available } = directed(['a', 'b']);
    await director.refresh();
    const [a] = director.available.filter(({ url }) => url === 'a');
    if (a) director.failed(a, 'gone');
    expect(available()).toEqual(['b']);
    world.sightings.set('a', null);
    await tickAt(5_999);
    expect(world.probed).toEqual(['a', 'b']);
    await tickAt(6_000);
    expect(world.probed).toEqual(['a', 'b', 'a']);
    expect(available()).toEqual(['b']);
    world.sightings.delete('a');
    await tickAt(10_999);
    expect(available()).toEqual(['b']);
    await tickAt(11_000);
    expect(available()).toEqual(['a', 'b']);
  });

  test('looks for members at its interval, and each second while none is there', async () => {
    const { director, world, tickAt, available } = directed(['a']);
    world.sightings.set('a', null);
    await director.refresh();
    expect(available()).toEqual([]);
    await tickAt(1_000 + proxyLimits.searchIntervalMs);
    expect(world.finds).toBe(2);
    world.urls = ['b'];
    await tickAt(1_000 + 2 * proxyLimits.searchIntervalMs);
    expect(available()).toEqual(['b']);
    await tickAt(20_000);
    expect(world.finds).toBe(3);
    await tickAt(60_000);
    expect(world.finds).toBe(4);
  });

  test('sends requests to a healthy member rather than to one that is not', async () => {
    const { director, world } = directed(['a', 'b', 'c']);
    for (const url of ['a', 'b']) world.sightings.set(url, { latencyMs: 1, isHealthy: false });
    await director.refresh();
    expect(director.available[0]?.url).toBe('c');
  });
});
