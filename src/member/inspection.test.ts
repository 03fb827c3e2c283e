import { expect, it } from 'vitest';
import { Single } from '../state/testing/single.ts';
import { Sql } from '../storage/sql.ts';
import { inspect } from './inspection.ts';
import { MemberMeter } from './meter.ts';
import type { Runtime } from './runtime.ts';
import { ETCD_VERSION } from './version.ts';

const noRows = { raw: () => [], toArray: () => [], rowsRead: 0, rowsWritten: 0 };

async function version(runtime: Runtime | null): Promise<unknown> {
  const meter = new MemberMeter(new Sql({ exec: () => noRows, databaseSize: 0 }), () => 0);
  const { status, body } = await inspect('/version', '', runtime, 'the member starts', meter);
  expect(status).toBe(200);
  return JSON.parse(body);
}

it('tells the version that the cluster has agreed on, and that it has none yet', async () => {
  const undecided = { etcdserver: ETCD_VERSION, etcdcluster: 'not_decided' };
  expect(await version(null)).toEqual(undecided);
  const member = new Single();
  const runtime = { machine: member.machine } as Runtime;
  expect(await version(runtime)).toEqual(undecided);
  const value = { $typeName: 'edgetcd.ClusterVersionSet', version: '3.4.0' } as const;
  member.apply({ case: 'clusterVersionSet', value });
  expect(await version(runtime)).toEqual({ etcdserver: ETCD_VERSION, etcdcluster: '3.4.0' });
});
