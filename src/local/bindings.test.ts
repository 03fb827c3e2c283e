import { expect, test } from 'vitest';
import { must } from '../lib/assert.ts';
import { memberAddresses, memberBindings } from './bindings.ts';

const members = memberAddresses([4001, 4002, 4003]);
const input = {
  clusterName: 'blue',
  clusterToken: 'blue-1',
  members,
  identityPorts: [2379, 22379, 32379],
  peerSecret: 'secret',
  logLevel: 'warn',
  environment: {},
};
const self = must(members[1], 'three members');

test('a member knows itself, its peers now, and its peers of the first start', () => {
  expect(memberBindings(self, input)).toEqual({
    ETCD_NAME: 'm2',
    ETCD_INITIAL_CLUSTER:
      'm1=http://127.0.0.1:4001,m2=http://127.0.0.1:4002,m3=http://127.0.0.1:4003',
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_INITIAL_CLUSTER_TOKEN: 'blue-1',
    ETCD_ADVERTISE_CLIENT_URLS: 'http://127.0.0.1:4002',
    ETCD_LOG_LEVEL: 'warn',
    EDGETCD_CLUSTER: 'blue',
    EDGETCD_IDENTITY_CLUSTER:
      'm1=http://127.0.0.1:2379,m2=http://127.0.0.1:22379,m3=http://127.0.0.1:32379',
    PEER_SECRET: 'secret',
    ALLOW_NONE_AUTHENTICATION: 'yes',
  });
});

test('the environment reaches the members, but not who they are', () => {
  const environment = {
    ETCD_SNAPSHOT_COUNT: '100',
    ETCD_NAME: 'evil',
    HOME: '/',
    ETCD_X: undefined,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://a:1',
  };
  const bindings = memberBindings(self, { ...input, environment });
  expect(bindings['ETCD_SNAPSHOT_COUNT']).toBe('100');
  expect(bindings['ETCD_NAME']).toBe('m2');
  expect(Object.keys(bindings)).not.toContain('HOME');
  expect(Object.keys(bindings)).not.toContain('ETCD_X');
  expect(Object.keys(bindings)).not.toContain('ETCD_INITIAL_ADVERTISE_PEER_URLS');
});
