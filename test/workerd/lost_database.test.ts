import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { get, post, put, readValue, until, untilWritable } from './client.ts';

beforeAll(async () => {
  for (const member of ['m1', 'm2', 'm3']) await untilWritable(member);
});

/**
 * A member that forgot what it promised could vote twice in a term, or have an entry counted that
 * it no longer holds. Its peers know it by its database and turn the new one away.
 */
it('a member that lost its database is refused by its peers, who go on without it', async () => {
  await put('kept', 'yes');
  const lost = env.MEMBER.getByName('edgetcd/m3');
  await runInDurableObject(lost, async (_, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
  await abortAllDurableObjects();

  const refused = await until(
    () => post('/v3/kv/range', { key: 'YQ==' }, 'm3'),
    ({ text }) => text.includes('has lost its data'),
  );
  expect(refused.status).toBe(503);
  expect(refused.json['code']).toBe(14);
  expect(refused.json['message']).toMatch(
    /^etcdserver: member m3 \([0-9a-f]{16}\) has lost its data/,
  );
  expect(refused.json['message']).toContain('remove the member and add it again');
  const health = await get('/health', { headers: { 'x-etcd-endpoint': 'm3' } });
  expect(health.status).toBe(503);

  for (const member of ['m1', 'm2']) {
    await untilWritable(member);
    expect(await readValue('kept', member)).toBe('yes');
  }
  expect((await put('without', 'm3')).status).toBe(200);

  // Asking again, or starting again, changes nothing.
  await abortAllDurableObjects();
  const again = await until(
    () => post('/v3/kv/range', { key: 'YQ==', serializable: true }, 'm3'),
    ({ text }) => text.includes('has lost its data'),
  );
  expect(again.status).toBe(503);
});
