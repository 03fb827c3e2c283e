import { exports } from 'cloudflare:workers';
import { beforeAll } from 'vitest';
import { Etcd } from '../../src/client/index.ts';
import { clientSuite } from '../client/suite.ts';
import { untilWritable } from './client.ts';

beforeAll(() => untilWritable());

/** The deployment as a Worker beside it sees it. */
const binding = { fetch: (url: string, init?: RequestInit) => exports.default.fetch(url, init) };

// The test runner's own way into the Worker takes its time in proportion to the square of a crowd.
clientSuite('a binding', () => new Etcd({ binding }), 30);
clientSuite('a session', () => new Etcd({ binding, transport: 'session' }));
