import { describe, expect, test } from 'vitest';
import { Election } from './gen/election_pb.ts';
import { Lock } from './gen/lock_pb.ts';
import {
  Auth,
  Cluster,
  KV,
  Lease,
  LeaseRevokeRequestSchema,
  LeaseRevokeResponseSchema,
  Maintenance,
  Watch,
} from './gen/rpc_pb.ts';
import { METHODS, methodOf } from './methods.ts';

describe('methodOf', () => {
  test('every method of every service has a path', () => {
    const services = [KV, Watch, Lease, Cluster, Maintenance, Auth, Lock, Election];
    const declared = services.flatMap((service) =>
      service.methods.map((method) => `${service.typeName}/${method.name}`),
    );
    const served = new Set(METHODS.map((method) => `${method.service}/${method.name}`));
    expect([...served].sort()).toEqual([...declared].sort());
  });

  test('an alias is the same method', () => {
    const method = {
      service: 'etcdserverpb.Lease',
      name: 'LeaseRevoke',
      input: LeaseRevokeRequestSchema,
      output: LeaseRevokeResponseSchema,
      kind: 'unary',
    };
    expect(methodOf('/v3/lease/revoke')).toEqual({ path: '/v3/lease/revoke', ...method });
    expect(methodOf('/v3/kv/lease/revoke')).toEqual({ path: '/v3/kv/lease/revoke', ...method });
  });

  test('grant and keepalive have no alias, and a trailing slash is another path', () => {
    expect(methodOf('/v3/kv/lease/grant')).toBeUndefined();
    expect(methodOf('/v3/kv/lease/keepalive')).toBeUndefined();
    expect(methodOf('/v3/kv/range/')).toBeUndefined();
    expect(methodOf('/v3beta/kv/range')).toBeUndefined();
  });

  test('four methods are streams', () => {
    const streams = METHODS.filter((method) => method.kind !== 'unary');
    expect(streams.map(({ path, kind }) => [path, kind])).toEqual([
      ['/v3/watch', 'bidi_streaming'],
      ['/v3/lease/keepalive', 'bidi_streaming'],
      ['/v3/maintenance/snapshot', 'server_streaming'],
      ['/v3/election/observe', 'server_streaming'],
    ]);
  });
});
