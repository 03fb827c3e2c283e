import { env } from 'cloudflare:workers';
import { beforeAll } from 'vitest';
import { Etcd } from '../../src/client/index.ts';
import { clientSuite } from '../client/suite.ts';
import { until } from './client.ts';

/** The deployment as a Worker beside it sees it. */
const binding = env.DEPLOYMENT;

beforeAll(async () => {
  const etcd = new Etcd({ binding });
  const failure = () => etcd.put('ready').then(() => null, String);
  await until(failure, (text) => text === null);
  etcd.close();
});

clientSuite('a binding', () => new Etcd({ binding }));
clientSuite('a session', () => new Etcd({ binding, transport: 'session' }));
