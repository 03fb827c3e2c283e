import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import {
  CallFailed,
  call,
  caughtUp,
  currentRevision,
  encode,
  get,
  leaderAmong,
  put,
} from './client.ts';
import { eventually, freeFirstPort, Workshop } from './cluster.ts';
import { damageKey, setSchema } from './databases.ts';

const workshop = new Workshop();
afterEach(() => workshop.clear());

const FULL = /etcdserver: mvcc: database space exceeded/;
const CORRUPT = /etcdserver: corrupt cluster/;

async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'it was done';
  } catch (error) {
    if (error instanceof CallFailed) return error.message;
    throw error;
  }
}

/** Why a member is not well. */
async function health(url: string): Promise<string> {
  const { reason } = (await (await fetch(`${url}/health`)).json()) as { reason: string };
  return reason;
}

type Alarm = { readonly memberID?: string; readonly alarm: string };

async function alarms(url: string): Promise<readonly Alarm[]> {
  const answer = await call(url, '/v3/maintenance/alarm', {});
  return (answer['alarms'] ?? []) as Alarm[];
}

describe('a full database', () => {
  it('refuses what needs space, and takes it again after compact, defragment, disarm', async () => {
    const quota = 8 * 1024 * 1024;
    const cluster = await workshop.launch({
      dataDir: workshop.dataDir(),
      port: await freeFirstPort(),
      env: { ETCD_QUOTA_BACKEND_BYTES: String(quota) },
    });
    const [url = '', other = ''] = cluster.endpoints;
    const value = 'x'.repeat(200_000);
    let last = '';
    for (let i = 0; i < 100 && last === ''; i++) {
      const said = await refusal(put(url, `key${i % 4}`, value));
      if (FULL.test(said)) last = said;
    }
    expect(last).toMatch(FULL);
    // The alarm is in the log: every member refuses from there on, whatever its own size.
    expect(await alarms(other)).toMatchObject([{ alarm: 'NOSPACE' }]);
    const grant = () => call(other, '/v3/lease/grant', { TTL: '60' });
    expect(await refusal(put(other, 'small', '1'))).toMatch(FULL);
    expect(await refusal(grant())).toMatch(FULL);
    expect(await get(other, 'key1')).toBe(value);
    await call(other, '/v3/kv/deleterange', { key: encode('key0') });

    const revision = String(await currentRevision(url));
    await call(url, '/v3/kv/compaction', { revision, physical: true });
    // What a member has not applied yet it cannot give back.
    await caughtUp(cluster.endpoints);
    for (const endpoint of cluster.endpoints) {
      await call(endpoint, '/v3/maintenance/defragment', {});
      const { dbSize } = await call(endpoint, '/v3/maintenance/status', {});
      expect(Number(dbSize)).toBeLessThan(quota / 2);
    }
    expect(await refusal(put(url, 'small', '1'))).toMatch(FULL);
    // Each member that was asked for space, and has none, has raised its own.
    const raised = await alarms(url);
    expect(raised.length).toBeGreaterThan(0);
    for (const alarm of raised) {
      await call(url, '/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
    }
    expect(await alarms(other)).toEqual([]);
    for (let i = 0; i < 10; i++) await put(url, `key${i % 4}`, value);
    await grant();
  }, 120_000);
});

describe('a row that has rotted', () => {
  it('is found by comparison with the other members, which then refuse every change', async () => {
    const dataDir = workshop.dataDir();
    const port = await freeFirstPort();
    const first = await workshop.launch({ dataDir, port });
    const url = must(first.endpoints[0], 'an endpoint');
    for (let i = 0; i < 20; i++) await put(url, `key${i}`, 'a value of some length');
    await caughtUp(first.endpoints);
    // Writes down what is in memory only.
    for (const endpoint of first.endpoints) {
      await call(endpoint, '/v3/maintenance/defragment', {});
    }
    const third = must(first.endpoints[2], 'an endpoint');
    const { header } = await call(third, '/v3/maintenance/status', {});
    const memberID = (header as { member_id: string }).member_id;
    await first.stop();
    await damageKey(dataDir, 'm3', 'key7');

    const compared = { ETCD_CORRUPT_CHECK_TIME: '500ms' };
    const second = await workshop.launch({ dataDir, port, env: compared });
    await eventually('the alarm is raised', 30_000, async () => {
      // Where nobody leads for a moment they cannot be told.
      return (await alarms(url).catch(() => [])).length > 0;
    });
    expect(await alarms(url)).toEqual([{ memberID, alarm: 'CORRUPT' }]);
    expect(await refusal(put(url, 'key', '1'))).toMatch(CORRUPT);
    expect(await refusal(call(url, '/v3/lease/grant', { TTL: '60' }))).toMatch(CORRUPT);
    expect(await get(url, 'key7')).toBe('a value of some length');

    await second.stop();

    // On its own return it finds out by itself, and does not start.
    const env = { ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK: 'true' };
    const last = await workshop.launch({ dataDir, port, env });
    // At first there may have been nobody whom it could ask.
    if (!last.output.includes('m3 does not serve')) last.killMember('m3');
    await last.waitFor(/m3 does not serve: .*checkInitialHashKV failed/, 30_000);
    expect(await health(third)).toMatch(/checkInitialHashKV failed: the other members have other/);
  }, 120_000);
});

describe('data of an earlier release', () => {
  it('is left alone, and npm start says what can be done', async () => {
    const dataDir = workshop.dataDir();
    const port = await freeFirstPort();
    const first = await workshop.launch({ dataDir, port });
    await put(must(first.endpoints[0], 'an endpoint'), 'kept', 'yes');
    await first.stop();

    // One member: the others serve, and it says why it does not.
    await setSchema(dataDir, 'm3', 1);
    const second = await workshop.launch({ dataDir, port });
    await second.waitFor(/m3 does not serve: .*earlier release.*copy its keys/, 30_000);
    const [url = '', , third = ''] = second.endpoints;
    expect(await health(third)).toMatch(/schema version 1, this one knows 2/);
    expect(await get(url, 'kept')).toBe('yes');
    await second.stop();

    // All of them: there is nothing to wait for.
    for (const member of ['m1', 'm2']) await setSchema(dataDir, member, 1);
    const refused = workshop.run(['--data-dir', dataDir, '--port', String(port)]);
    await refused.waitFor(/no member serves; the reasons are above/, 40_000);
    expect(await refused.exited).not.toBe(0);

    // Its release finds it as it was.
    for (const member of ['m1', 'm2', 'm3']) await setSchema(dataDir, member, 2);
    const again = await workshop.launch({ dataDir, port });
    expect(await get(must(again.endpoints[2], 'an endpoint'), 'kept')).toBe('yes');
  }, 120_000);
});

describe('compaction by itself', () => {
  it('removes what is older than its retention, and goes on after a leader was killed', async () => {
    const cluster = await workshop.launch({
      dataDir: workshop.dataDir(),
      port: await freeFirstPort(),
      env: { ETCD_AUTO_COMPACTION_MODE: 'periodic', ETCD_AUTO_COMPACTION_RETENTION: '2s' },
    });
    const [url = ''] = cluster.endpoints;
    const compacted = async (): Promise<number> => {
      const answer = await call(url, '/v3/maintenance/hashkv', {});
      return Number(answer['compact_revision']);
    };
    const writeUntilAbove = (revision: number) =>
      eventually(`compaction above ${revision}`, 30_000, async () => {
        await refusal(put(url, 'key', 'value'));
        return (await compacted()) > revision;
      });
    await writeUntilAbove(1);
    const at = await leaderAmong(cluster.endpoints);
    await cluster.killAndAwaitReturn(must(cluster.names[at], 'a leader'));
    await writeUntilAbove(await compacted());
  }, 90_000);
});
