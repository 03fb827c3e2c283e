import { beforeAll, describe, expect, it } from 'vitest';
import { base64, get, post, put, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

/** A scrape: types by name, values by name and labels. */
interface Scrape {
  readonly types: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, number>;
}

async function scrape(member: string): Promise<Scrape> {
  const { status, text } = await get('/metrics', { headers: { 'x-etcd-endpoint': member } });
  expect(status).toBe(200);
  const types = new Map<string, string>();
  const values = new Map<string, number>();
  for (const line of text.trimEnd().split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) types.set(name, type);
    const [, series, value] = /^([^#\s]\S*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (series !== undefined) values.set(series, Number(value));
  }
  return { types, values };
}

/** The sum over all series of a name whose labels match. */
function sum({ values }: Scrape, name: string, labels = /(?:)/): number {
  let total = 0;
  for (const [series, value] of values) {
    if (series.replace(/\{.*/, '') === name && labels.test(series)) total += value;
  }
  return total;
}

function total(scrapes: readonly Scrape[], name: string, labels?: RegExp): number {
  return scrapes.reduce((so_far, one) => so_far + sum(one, name, labels), 0);
}

const key = base64('counted');

beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
  for (let i = 0; i < 5; i++) await put('counted', String(i), 'm2');
  for (const member of MEMBERS) await post('/v3/kv/range', { key }, member);
  await post('/v3/kv/put', { key: '' }, 'm1');
  await post('/v3/kv/put', { key, lease: '4711' }, 'm1');
  const op = { request_range: { key } };
  await post('/v3/kv/txn', { success: [{ request_put: { key, value: key } }, op, op] }, 'm3');
  await post('/v3/kv/deleterange', { key: base64('nothing') }, 'm3');
});

describe('after some traffic', () => {
  /** The names in the alerts that etcd publishes for Prometheus, and what they are there. */
  it.each([
    ['etcd_server_has_leader', 'gauge'],
    ['etcd_server_leader_changes_seen_total', 'counter'],
    ['etcd_server_proposals_failed_total', 'counter'],
    ['grpc_server_handled_total', 'counter'],
    ['grpc_server_started_total', 'counter'],
    ['etcd_network_peer_round_trip_time_seconds', 'histogram'],
    ['etcd_network_peer_sent_failures_total', 'counter'],
    ['etcd_disk_wal_fsync_duration_seconds', 'histogram'],
    ['etcd_disk_backend_commit_duration_seconds', 'histogram'],
    ['etcd_mvcc_db_total_size_in_bytes', 'gauge'],
    ['etcd_mvcc_db_total_size_in_use_in_bytes', 'gauge'],
    ['etcd_server_quota_backend_bytes', 'gauge'],
  ])('%s is a %s with series on every member', async (name, type) => {
    for (const member of MEMBERS) {
      const { types, values } = await scrape(member);
      expect(types.get(name)).toBe(type);
      const series = type === 'histogram' ? `${name}_bucket` : name;
      expect([...values.keys()].some((each) => each.replace(/\{.*/, '') === series)).toBe(true);
    }
  });

  it('no alert would fire', async () => {
    const scrapes = await Promise.all(MEMBERS.map(scrape));
    for (const one of scrapes) {
      expect(sum(one, 'etcd_server_has_leader')).toBe(1);
      expect(sum(one, 'etcd_server_leader_changes_seen_total')).toBeLessThan(4);
      expect(sum(one, 'etcd_server_proposals_failed_total')).toBe(0);
      const size = sum(one, 'etcd_mvcc_db_total_size_in_bytes');
      expect(size).toBeGreaterThan(0);
      expect(size / sum(one, 'etcd_server_quota_backend_bytes')).toBeLessThan(0.95);
      const used = sum(one, 'etcd_mvcc_db_total_size_in_use_in_bytes');
      expect(used / size).toBeGreaterThan(0.5);
      expect(used / size).toBeLessThanOrEqual(1);
    }
    expect(total(scrapes, 'etcd_server_is_leader')).toBe(1);
  });

  it('every member counts what was written, and the one that was asked what was asked', async () => {
    const scrapes = await Promise.all(MEMBERS.map(scrape));
    for (const one of scrapes) {
      expect(sum(one, 'etcd_mvcc_put_total')).toBeGreaterThanOrEqual(6);
      expect(sum(one, 'etcd_mvcc_delete_total')).toBeGreaterThanOrEqual(1);
      expect(sum(one, 'etcd_mvcc_txn_total')).toBeGreaterThanOrEqual(1);
      expect(sum(one, 'etcd_mvcc_range_total')).toBeGreaterThanOrEqual(3);
      expect(sum(one, 'etcd_debugging_mvcc_keys_total')).toBe(2);
      const fsyncs = sum(one, 'etcd_disk_wal_fsync_duration_seconds_count');
      expect(fsyncs).toBeGreaterThan(0);
      expect(sum(one, 'etcd_disk_wal_write_bytes_total')).toBeGreaterThan(fsyncs);
      expect(sum(one, 'etcd_network_known_peers')).toBe(2);
      expect(sum(one, 'etcd_network_peer_received_bytes_total')).toBeGreaterThan(0);
    }
    const [m1, m2] = scrapes;
    if (!m1 || !m2) throw new Error('three members');
    const puts = (code: string) => new RegExp(`grpc_method="Put".*grpc_code="${code}"`);
    expect(sum(m2, 'grpc_server_handled_total', puts('OK'))).toBeGreaterThanOrEqual(5);
    expect(sum(m1, 'grpc_server_handled_total', puts('InvalidArgument'))).toBe(1);
    expect(sum(m1, 'grpc_server_handled_total', puts('NotFound'))).toBe(1);
    const started = sum(m1, 'grpc_server_started_total', /"Put"/);
    expect(sum(m1, 'grpc_server_handled_total', /"Put"/)).toBe(started);
    expect(sum(m1, 'etcd_network_client_grpc_received_bytes_total')).toBeGreaterThan(0);
    expect(sum(m1, 'etcd_network_client_grpc_sent_bytes_total')).toBeGreaterThan(0);
  });

  it('what is sent by one is received by others, and what costs money is estimated', async () => {
    const scrapes = await Promise.all(MEMBERS.map(scrape));
    expect(total(scrapes, 'etcd_network_peer_round_trip_time_seconds_count')).toBeGreaterThan(10);
    for (const one of scrapes) {
      const written = sum(one, 'edgetcd_storage_rows_written_total');
      expect(written).toBeGreaterThan(5);
      const cost = (kind: string) =>
        sum(one, 'edgetcd_estimated_cost_dollars_total', new RegExp(`kind="${kind}"`));
      expect(cost('rows_written')).toBeCloseTo(written / 1e6, 9);
      for (const kind of ['requests', 'worker', 'duration', 'rows_read', 'storage']) {
        expect(cost(kind), kind).toBeGreaterThan(0);
      }
      expect(sum(one, 'edgetcd_storage_bytes')).toBeGreaterThan(4_096);
      expect(sum(one, 'edgetcd_requests_total', /kind="inspect"/)).toBeGreaterThan(0);
    }
  });
});
