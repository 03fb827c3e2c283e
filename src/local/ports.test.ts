import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { StartError } from './error.ts';
import { freePort, HOST, planPorts, portIsFree } from './ports.ts';

describe('planPorts', () => {
  test('follows the Procfile of etcd', () => {
    expect(planPorts(2379, 1)).toEqual([2379]);
    expect(planPorts(2379, 3)).toEqual([2379, 22379, 32379]);
    expect(planPorts(2379, 5)).toEqual([2379, 22379, 32379, 42379, 52379]);
  });

  test('the last spread port may be 65535, a higher one makes all consecutive', () => {
    expect(planPorts(35_535, 3)).toEqual([35_535, 55_535, 65_535]);
    expect(planPorts(35_536, 3)).toEqual([35_536, 35_537, 35_538]);
    expect(planPorts(15_536, 5)).toEqual([15_536, 15_537, 15_538, 15_539, 15_540]);
  });

  test('what does not fit at all is refused', () => {
    expect(planPorts(65_533, 3)).toEqual([65_533, 65_534, 65_535]);
    expect(() => planPorts(65_534, 3)).toThrow(StartError);
  });
});

test('portIsFree sees a listener come and go', async () => {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await portIsFree(port)).toBe(false);
  server.close();
  await once(server, 'close');
  expect(await portIsFree(port)).toBe(true);
});

test('freePort finds one that no outgoing connection is given', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort));
  // Systems give them ports from 32,768 on, or further up.
  expect(ports.filter((port) => port < 1_024 || port >= 32_768)).toEqual([]);
  expect(await Promise.all(ports.map((port) => portIsFree(port)))).not.toContain(false);
});
