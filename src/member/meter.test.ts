import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { Code } from '../api/error.ts';
import { TxnResponseSchema } from '../api/gen/rpc_pb.ts';
import type { ApplyResult } from '../state/result.ts';
import { Sql } from '../storage/sql.ts';
import type { ClusterIdentity } from './identity.ts';
import { MemberMeter } from './meter.ts';

const SELF = '00000000000000aa';
const PEER = '00000000000000bb';

let nowMs = 0;
let lines: string[] = [];
let meter: MemberMeter;

beforeEach(() => {
  nowMs = 1_000;
  lines = [];
  const noRows = { raw: () => [], toArray: () => [], rowsRead: 0, rowsWritten: 0 };
  meter = new MemberMeter(new Sql({ exec: () => noRows, databaseSize: 4_096 }), () => nowMs);
  const settings = {
    heartbeatIntervalMs: 100,
    warningApplyMs: 100,
    warningUnaryMs: 300,
    extensiveMetrics: true,
  };
  const members = [SELF, PEER].map((id) => ({ id, name: id, url: `do://${id}` }));
  const identity: ClusterIdentity = { clusterId: 'cc', memberId: SELF, members };
  meter.configure(settings, identity, (level, message) => lines.push(`${level} ${message}`));
});

const value = (series: string) => {
  const line = meter
    .render(null)
    .split('\n')
    .find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
};

function call(path: string, ms: number): void {
  const startMs = meter.started(path);
  nowMs += ms;
  meter.handled(path, Code.ok, startMs);
}

describe('slow calls', () => {
  it('are told one by one, and together when there are many', () => {
    call('/v3/kv/put', 300);
    expect(lines).toEqual([]);
    call('/v3/kv/put', 301);
    expect(lines).toEqual(['warn /v3/kv/put took 301 ms']);
    call('/v3/kv/range', 400);
    call('/v3/kv/range', 400);
    call('/v3/kv/txn', 500);
    expect(lines.slice(1)).toEqual(['warn /v3/kv/txn took 500 ms (3 such calls)']);
  });

  it('are not those that are there to wait', () => {
    call('/v3/watch', 60_000);
    call('/v3/lock/lock', 60_000);
    expect(lines).toEqual([]);
  });

  it('are in the histogram that the alerts look at', () => {
    call('/v3/kv/put', 200);
    const labels = 'grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_type="unary"';
    expect(value(`grpc_server_handling_seconds_bucket{${labels},le="0.1"}`)).toBe(0);
    expect(value(`grpc_server_handling_seconds_bucket{${labels},le="0.25"}`)).toBe(1);
  });
});

describe('slow turns', () => {
  it('are counted and told', () => {
    meter.turnApplied(100);
    expect(value('etcd_server_slow_apply_total')).toBe(0);
    meter.turnApplied(101);
    expect(value('etcd_server_slow_apply_total')).toBe(1);
    expect(lines).toEqual(['warn applying entries took 101 ms']);
  });
});

describe('a heartbeat', () => {
  const failures = () => value('etcd_server_heartbeat_send_failures_total');

  it('that a leader sends late by another one counts as failed', () => {
    meter.softState({ role: 'leader', leader: SELF, term: 2 });
    nowMs = 2_100;
    meter.rang(2_000);
    expect(failures()).toBe(0);
    meter.rang(1_999);
    expect(failures()).toBe(1);
  });

  it('is not what the alarm of a follower is for', () => {
    meter.softState({ role: 'follower', leader: PEER, term: 2 });
    nowMs = 9_000;
    meter.rang(1_000);
    expect(failures()).toBe(0);
  });
});

describe('leaders', () => {
  it('are counted when they are others, not when one is lost and found', () => {
    const changes = () => value('etcd_server_leader_changes_seen_total');
    meter.softState({ role: 'follower', leader: PEER, term: 1 });
    meter.softState({ role: 'candidate', leader: null, term: 2 });
    expect(value('etcd_server_has_leader')).toBe(0);
    meter.softState({ role: 'follower', leader: PEER, term: 2 });
    expect(changes()).toBe(1);
    meter.softState({ role: 'leader', leader: SELF, term: 3 });
    expect(changes()).toBe(2);
    expect(value('etcd_server_is_leader')).toBe(1);
  });
});

describe('peers', () => {
  it('are counted if they are of the cluster', () => {
    meter.exchanged(PEER, 10, 20, 5);
    meter.answeredPeer(PEER, 100, 200, true);
    meter.answeredPeer('00000000000000ff', 1, 1, false);
    meter.exchangeFailed(PEER);
    expect(value('etcd_network_peer_sent_bytes_total{To="bb"}')).toBe(210);
    expect(value('etcd_network_peer_received_bytes_total{From="bb"}')).toBe(120);
    expect(value('etcd_network_peer_sent_failures_total{To="bb"}')).toBe(1);
    expect(value('etcd_network_peer_received_failures_total{From="bb"}')).toBe(0);
    expect(value('etcd_network_active_peers{Local="aa",Remote="bb"}')).toBe(0);
    expect(meter.render(null)).not.toContain('"ff"');
  });
});

describe('a transaction', () => {
  it('counts what its branch did, nested ones included', () => {
    const response = create(TxnResponseSchema, {
      responses: [
        { response: { case: 'responsePut', value: {} } },
        { response: { case: 'responseRange', value: {} } },
        {
          response: {
            case: 'responseTxn',
            value: { responses: [{ response: { case: 'responseDeleteRange', value: {} } }] },
          },
        },
      ],
    });
    const request = { case: 'txn' };
    meter.applied({ command: { request }, response } as unknown as ApplyResult);
    expect(value('etcd_mvcc_put_total')).toBe(1);
    expect(value('etcd_mvcc_delete_total')).toBe(1);
    expect(value('etcd_mvcc_range_total')).toBe(1);
    expect(value('etcd_mvcc_txn_total')).toBe(1);
  });

  it('that failed counts for nothing', () => {
    const request = { case: 'txn' };
    meter.applied({ command: { request }, response: null } as unknown as ApplyResult);
    expect(value('etcd_mvcc_txn_total')).toBe(0);
  });
});
