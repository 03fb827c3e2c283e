import { describe, expect, it } from 'vitest';
import { Code } from '../api/error.ts';
import { METHODS } from '../api/methods.ts';
import { prices } from '../config/prices.ts';
import { costOf, type Usage } from './bill.ts';
import { MemberMetrics } from './member_metrics.ts';

describe("a member's metrics", () => {
  it('are its own', () => {
    const [one, two] = [new MemberMetrics(), new MemberMetrics()];
    one.mvcc.puts.inc();
    expect(one.render()).toContain('\netcd_mvcc_put_total 1\n');
    expect(two.render()).toContain('\netcd_mvcc_put_total 0\n');
  });

  it('are every line well formed', () => {
    const metrics = new MemberMetrics();
    metrics.calls.measureSeconds();
    metrics.server.id.with('bdae9bbc11dd390d').set(1);
    metrics.peers.of('1', '2').roundTripSeconds.observe(0.001);
    metrics.calls.handled('/v3/kv/put', Code.ok, 0.001);
    const line = /^(# (HELP|TYPE) \w+ .+|[a-z_]+(\{(\w+="[^"]*",?)+\})? [-+.\dInfe]+)$/;
    for (const text of metrics.render().trimEnd().split('\n')) expect(text).toMatch(line);
  });

  it("have etcd's buckets", () => {
    const metrics = new MemberMetrics();
    metrics.peers.of('1', '2');
    const text = metrics.render();
    const boundsOf = (name: string) =>
      [...text.matchAll(new RegExp(`${name}_bucket\\{[^}]*le="([^"]+)"`, 'g'))].map(([, le]) => le);
    const disk =
      '0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192';
    expect(boundsOf('wal_fsync_duration_seconds').join(' ')).toBe(`${disk} +Inf`);
    expect(boundsOf('backend_commit_duration_seconds').join(' ')).toBe(`${disk} +Inf`);
    const trips = boundsOf('peer_round_trip_time_seconds');
    expect([trips[0], trips.at(-2), trips.length]).toEqual(['0.0001', '3.2768', 17]);
  });
});

describe('calls', () => {
  it('have a series for every method and code from the start', () => {
    const text = new MemberMetrics().render();
    const methods = new Set(METHODS.map(({ service, name }) => `${service}/${name}`)).size;
    expect(text.match(/^grpc_server_started_total\{/gm)).toHaveLength(methods);
    expect(text.match(/^grpc_server_handled_total\{/gm)).toHaveLength(methods * 17);
    expect(text).toContain(
      'grpc_server_handled_total{grpc_service="etcdserverpb.Watch",grpc_method="Watch",' +
        'grpc_type="bidi_stream",grpc_code="Unavailable"} 0\n',
    );
    expect(text).toContain('grpc_method="Snapshot",grpc_type="server_stream"');
  });

  it('are counted by code; an alias counts for its method', () => {
    const metrics = new MemberMetrics();
    metrics.calls.started('/v3/lease/revoke');
    metrics.calls.started('/v3/kv/lease/revoke');
    metrics.calls.handled('/v3/lease/revoke', Code.notFound, 0);
    metrics.calls.handled('/v3/kv/lease/revoke', Code.notFound, 0);
    metrics.calls.handled('/v3/kv/range', Code.ok, 0);
    const text = metrics.render();
    const labels = 'grpc_service="etcdserverpb.Lease",grpc_method="LeaseRevoke",grpc_type="unary"';
    expect(text).toContain(`grpc_server_started_total{${labels}} 2\n`);
    expect(text).toContain(`grpc_server_handled_total{${labels},grpc_code="NotFound"} 2\n`);
    expect(text).toContain(
      'etcd_server_client_requests_total{type="unary",client_api_version="unknown"} 2\n',
    );
    expect(metrics.calls.succeeded('/v3/kv/range')).toBe(1);
  });

  it('are not counted for paths that are none', () => {
    const metrics = new MemberMetrics();
    const before = metrics.render();
    metrics.calls.started('/v3/no/such');
    metrics.calls.handled('/v3/no/such', Code.ok, 1);
    expect(metrics.render()).toBe(before);
  });

  it('are timed where that was asked for', () => {
    const metrics = new MemberMetrics();
    metrics.calls.measureInto('/v3/maintenance/hashkv', metrics.mvcc.hashSeconds);
    metrics.calls.handled('/v3/kv/put', Code.ok, 7);
    expect(metrics.render()).not.toContain('grpc_server_handling_seconds');
    metrics.calls.measureSeconds();
    metrics.calls.handled('/v3/kv/put', Code.ok, 0.2);
    metrics.calls.handled('/v3/maintenance/hashkv', Code.ok, 3);
    const text = metrics.render();
    expect(text).toContain('grpc_method="Put",grpc_type="unary",le="0.1"} 0\n');
    expect(text).toContain('grpc_method="Put",grpc_type="unary",le="0.25"} 1\n');
    expect(text).toContain('etcd_mvcc_hash_duration_seconds_sum 3\n');
  });
});

describe('peers', () => {
  it('have ids as etcd prints them, and are known until they are removed', () => {
    const metrics = new MemberMetrics();
    metrics.peers.setKnown('00000000000000aa', ['0bdae9bbc11dd390', 'c000000000000000']);
    metrics.peers.of('00000000000000aa', '0bdae9bbc11dd390').active.set(1);
    const ends = 'Local="aa",Remote="bdae9bbc11dd390"';
    expect(metrics.render()).toContain(`etcd_network_known_peers{${ends}} 1\n`);
    expect(metrics.render()).toContain(`etcd_network_active_peers{${ends}} 1\n`);
    metrics.peers.setKnown('00000000000000aa', ['c000000000000000']);
    expect(metrics.render()).toContain(`etcd_network_known_peers{${ends}} 0\n`);
    expect(metrics.render()).toContain(`etcd_network_active_peers{${ends}} 0\n`);
    expect(metrics.peers.find('who is this')).toBeUndefined();
  });
});

describe('the estimated cost', () => {
  const nothing: Usage = {
    clientRequests: 0,
    ownRequests: 0,
    socketMessages: 0,
    rowsRead: 0,
    rowsWritten: 0,
    storedBytes: 0,
    seconds: 0,
  };
  it.each<[string, Partial<Usage>, number, Partial<Record<string, number>>]>([
    ['nothing', {}, 0, {}],
    [
      "a million clients' requests",
      { clientRequests: 1e6 },
      0,
      { requests: prices.millionRequests, worker: prices.millionWorkerRequests },
    ],
    ["a million of peers'", { ownRequests: 1e6 }, 0, { requests: prices.millionRequests }],
    ['twenty million messages', { socketMessages: 20e6 }, 0, { requests: prices.millionRequests }],
    ['a million rows written', { rowsWritten: 1e6 }, 0, { rows_written: 1 }],
    ['a billion rows read', { rowsRead: 1e9 }, 0, { rows_read: 1 }],
    ['a month awake', { seconds: 2_592_000 }, 0, { duration: 4.1472 }],
    ['a gigabyte for a month', {}, 1e9 * 2_592_000, { storage: 0.2 }],
  ])('of %s', (_, usage, byteSeconds, dollars) => {
    const cost = costOf({ ...nothing, ...usage }, byteSeconds);
    for (const [kind, value] of Object.entries(cost)) {
      expect(value, kind).toBeCloseTo(dollars[kind] ?? 0, 9);
    }
  });

  it('adds up what is stored from scrape to scrape, and never shrinks', () => {
    const metrics = new MemberMetrics();
    const dollars = () =>
      Number(/dollars_total\{kind="storage"\} (\S+)/.exec(metrics.render())?.[1]);
    metrics.bill.update({ ...nothing, storedBytes: 1e9, seconds: 2_592_000 });
    expect(dollars()).toBeCloseTo(0.2, 9);
    metrics.bill.update({ ...nothing, storedBytes: 2e9, seconds: 2 * 2_592_000 });
    expect(dollars()).toBeCloseTo(0.6, 9);
    metrics.bill.update({ ...nothing, storedBytes: 0, seconds: 3 * 2_592_000 });
    expect(dollars()).toBeCloseTo(0.6, 9);
  });
});
