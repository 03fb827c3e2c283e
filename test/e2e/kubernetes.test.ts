import {
  create,
  type DescMethodBiDiStreaming,
  type DescMethodUnary,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd } from '../../bench/etcd.ts';
import type { System } from '../../bench/system.ts';
import {
  KV,
  Lease,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnRequestSchema,
  Watch,
  type WatchResponse,
} from '../../src/api/gen/rpc_pb.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { eventually, freeFirstPort, Workshop } from './cluster.ts';
import { hasEtcd } from './etcdctl.ts';

/**
 * The requests by which Kubernetes' API server uses etcd, and no others: each is made of a cluster
 * of ours and of one of etcd, both new, and answered alike.
 */

const workshop = new Workshop();
let etcd: System;
let clients: readonly Client[] = [];

beforeAll(async () => {
  if (!hasEtcd) return;
  const dataDir = workshop.dataDir();
  const cluster = await workshop.launch({ dataDir, port: await freeFirstPort(1), size: 1 });
  etcd = await startEtcd(new AbortController().signal);
  const urls = [etcd.members[0]?.url ?? '', cluster.endpoints[0] ?? ''];
  clients = urls.map((url) => new Client(url.replace('http://', ''), credentials.createInsecure()));
}, 90_000);
afterAll(async () => {
  for (const client of clients) client.close();
  await etcd?.stop();
  await workshop.clear();
}, 30_000);

type Txn = MessageInitShape<typeof TxnRequestSchema>;

const pathOf = (method: DescMethodUnary | DescMethodBiDiStreaming): string =>
  `/${method.parent.typeName}/${method.name}`;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

/** Kubernetes insists on a leader, in every call. */
function metadata(): Metadata {
  const headers = new Metadata();
  headers.set('hasleader', 'true');
  return headers;
}

/** What a cluster answers, without what differs between any two clusters. */
type Init = Readonly<Record<string, unknown>>;

function call(client: Client, method: DescMethodUnary, init: Init): Promise<unknown> {
  const request = toBinary(method.input, create(method.input, init));
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, answer?: Uint8Array): void => {
      if (error !== null) return resolve(`${error.code} ${error.details}`);
      resolve(comparable(method, fromBinary(method.output, answer ?? new Uint8Array(0))));
    };
    client.makeUnaryRequest(pathOf(method), asBuffer, (bytes) => bytes, request, metadata(), done);
  });
}

/** What no two clusters have in common. */
const OWN: ReadonlySet<string> = new Set(['cluster_id', 'member_id', 'raft_term']);

function comparable(method: DescMethodUnary | DescMethodBiDiStreaming, message: Message): unknown {
  const text = JSON.stringify(toJson(method.output, message, { useProtoFieldName: true }));
  return JSON.parse(text, (name, value) => (OWN.has(name) ? undefined : value));
}

/** Both answer alike. @returns how */
async function same(method: DescMethodUnary, init: Init): Promise<unknown> {
  const [expected, found] = await Promise.all(clients.map((client) => call(client, method, init)));
  expect(found).toEqual(expected);
  return found;
}

const key = (name: string): Uint8Array => utf8(`/registry/pods/default/${name}`);
const range = (name: string) => ({ case: 'requestRange' as const, value: { key: key(name) } });

function modIs(name: string, modRevision: bigint) {
  const targetUnion = { case: 'modRevision' as const, value: modRevision };
  return { result: Result.EQUAL, target: Target.MOD, key: key(name), targetUnion };
}

/** Put if nobody has changed it since; 0: if it is not there. */
function guardedPut(name: string, value: string, modRevision: bigint, lease = 0n): Txn {
  const put = { key: key(name), value: utf8(value), lease };
  return {
    compare: [modIs(name, modRevision)],
    success: [{ request: { case: 'requestPut', value: put } }],
    failure: modRevision === 0n ? [] : [{ request: range(name) }],
  };
}

function guardedDelete(name: string, modRevision: bigint): Txn {
  const gone = { case: 'requestDeleteRange' as const, value: { key: key(name) } };
  return {
    compare: [modIs(name, modRevision)],
    success: [{ request: gone }],
    failure: [{ request: range(name) }],
  };
}

const PODS = { key: utf8('/registry/pods/'), rangeEnd: utf8('/registry/pods0') };

describe.skipIf(!hasEtcd)("Kubernetes' requests", () => {
  it('create, update and delete only what nobody has changed meanwhile', async () => {
    await same(KV.method.txn, guardedPut('a', '1', 0n));
    await same(KV.method.txn, guardedPut('a', 'again', 0n));
    await same(KV.method.txn, guardedPut('a', '2', 2n));
    await same(KV.method.txn, guardedPut('a', 'late', 2n));
    await same(KV.method.txn, guardedDelete('a', 2n));
    await same(KV.method.txn, guardedDelete('a', 3n));
    await same(KV.method.txn, guardedDelete('a', 3n));
    await same(KV.method.range, { key: key('a') });
  });

  it('list page by page at one revision, while others write', async () => {
    for (let i = 0; i < 25; i++) await same(KV.method.txn, guardedPut(`p${i}`, 'x', 0n));
    const first = await same(KV.method.range, { ...PODS, limit: 10n });
    const { header, kvs, more } = first as {
      header: { revision: string };
      kvs: { key: string }[];
      more: boolean;
    };
    expect(more).toBe(true);
    await same(KV.method.txn, guardedPut('p999', 'later', 0n));
    const revision = BigInt(header.revision);
    const last = Buffer.from(kvs.at(-1)?.key ?? '', 'base64');
    const next = { ...PODS, key: Buffer.concat([last, Buffer.of(0)]), limit: 10n, revision };
    await same(KV.method.range, next);
    await same(KV.method.range, { ...PODS, countOnly: true });
    await same(KV.method.range, { ...PODS, revision, serializable: true });
    await same(KV.method.range, { ...PODS, revision: 99_999n });
  });

  it('attach events to leases', async () => {
    await same(Lease.method.leaseGrant, { TTL: 3_600n, ID: 4_711n });
    await same(KV.method.txn, guardedPut('event', 'x', 0n, 4_711n));
    await same(KV.method.range, { key: key('event') });
    await same(KV.method.txn, guardedPut('event2', 'x', 0n, 999n));
  });

  it('watch from a revision, with what was there before, and with progress', async () => {
    const told = clients.map((client) => {
      const messages: WatchResponse[] = [];
      const { watch } = Watch.method;
      const stream = client.makeBidiStreamRequest(
        pathOf(watch),
        asBuffer,
        (bytes) => fromBinary(watch.output, bytes),
        metadata(),
      );
      stream.on('data', (message: WatchResponse) => messages.push(message));
      stream.on('error', () => undefined);
      const options = { startRevision: 2n, prevKv: true, progressNotify: true };
      const value = { ...PODS, ...options };
      stream.write(
        toBinary(
          watch.input,
          create(watch.input, { requestUnion: { case: 'createRequest', value } }),
        ),
      );
      return { messages, stream, watch };
    });
    await same(KV.method.txn, guardedPut('w', '1', 0n));
    const events = () =>
      told.map(({ messages }) =>
        messages.flatMap((message) =>
          message.events.map(({ type, kv, prevKv }) => [
            type,
            String(kv?.key && Buffer.from(kv.key)),
            kv?.modRevision,
            kv?.createRevision,
            kv?.version,
            kv?.lease,
            prevKv?.modRevision,
            String(prevKv?.value && Buffer.from(prevKv.value)),
          ]),
        ),
      );
    await eventually('the events', 10_000, () => events().every((list) => list.length === 31));
    expect(events()[1]).toEqual(events()[0]);
    // As the API server's cache asks before it serves a consistent read.
    for (const { stream, watch } of told) {
      const progress = { case: 'progressRequest' as const, value: {} };
      stream.write(toBinary(watch.input, create(watch.input, { requestUnion: progress })));
    }
    const last = () => told.map(({ messages }) => messages.at(-1));
    await eventually('progress', 10_000, () => last().every((one) => one?.watchId === -1n));
    expect(last()[1]?.header?.revision).toBe(last()[0]?.header?.revision);
    for (const { stream } of told) stream.cancel();
  });

  it('compact by a key of their own, one API server at a time', async () => {
    const compactKey = utf8('compact_rev_key');
    const version = (value: bigint): Txn => ({
      compare: [
        {
          result: Result.EQUAL,
          target: Target.VERSION,
          key: compactKey,
          targetUnion: { case: 'version', value },
        },
      ],
      success: [{ request: { case: 'requestPut', value: { key: compactKey, value: utf8('20') } } }],
      failure: [{ request: { case: 'requestRange', value: { key: compactKey } } }],
    });
    await same(KV.method.txn, version(0n));
    await same(KV.method.txn, version(0n));
    await same(KV.method.compact, { revision: 20n });
    await same(KV.method.compact, { revision: 20n });
    await same(KV.method.range, { ...PODS, revision: 19n });
    await same(KV.method.range, { ...PODS, revision: 20n });
  });
});
