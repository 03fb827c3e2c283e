import { setTimeout as sleep } from 'node:timers/promises';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Code } from '../api/error.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../api/gen/health_pb.ts';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../api/gen/reflection_pb.ts';
import { METHODS } from '../api/methods.ts';
import { freePort, HOST } from '../local/ports.ts';
import { Bridge } from './bridge.ts';
import { FakeCluster } from './fake_cluster.ts';

/** What tools ask of any gRPC server: whether it is well, and what it serves. */

let bridge: Bridge;
let client: Client;
let healthy = true;

beforeAll(async () => {
  const port = await freePort();
  bridge = new Bridge({
    host: HOST,
    port,
    tls: null,
    upstream: new FakeCluster(),
    http1: (socket) => socket.destroy(),
    isHealthy: async () => healthy,
  });
  await bridge.listen();
  client = new Client(`${HOST}:${port}`, credentials.createInsecure());
});
afterAll(() => {
  client.close();
  bridge.close();
});

const encoder =
  <S extends DescMessage>(schema: S) =>
  (message: MessageShape<S>): Buffer =>
    Buffer.from(toBinary(schema, message));
const decoder =
  <S extends DescMessage>(schema: S) =>
  (bytes: Buffer): MessageShape<S> =>
    fromBinary(schema, bytes);

describe('grpc.health.v1', () => {
  const encode = encoder(HealthCheckRequestSchema);
  const decode = decoder(HealthCheckResponseSchema);

  function check(service: string): Promise<Status | ServiceError> {
    const request = create(HealthCheckRequestSchema, { service });
    const path = '/grpc.health.v1.Health/Check';
    return new Promise((resolve) => {
      client.makeUnaryRequest(path, encode, decode, request, (error, answer) =>
        resolve(error ?? answer?.status ?? Status.UNKNOWN),
      );
    });
  }

  it('is asked once', async () => {
    expect(await check('')).toBe(Status.SERVING);
    expect(await check('etcdserverpb.KV')).toBe(Status.SERVING);
    expect(await check('no.such.Service')).toMatchObject({ code: Code.notFound });
    healthy = false;
    expect(await check('')).toBe(Status.NOT_SERVING);
    healthy = true;
  });

  it('is watched', async () => {
    const watch = (service: string) => {
      const request = create(HealthCheckRequestSchema, { service });
      const path = '/grpc.health.v1.Health/Watch';
      const stream = client.makeServerStreamRequest(path, encode, decode, request);
      const told: Status[] = [];
      stream.on('data', ({ status }) => told.push(status));
      stream.on('error', () => undefined);
      return { told, cancel: () => stream.cancel() };
    };
    const known = watch('');
    const unknown = watch('no.such.Service');
    const reaches = async (count: number): Promise<void> => {
      for (let i = 0; known.told.length < count && i < 500; i++) await sleep(10);
    };
    await reaches(1);
    healthy = false;
    await reaches(2);
    healthy = true;
    await reaches(3);
    expect(known.told).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
    // What is not known may come to be: the protocol wants no error.
    expect(unknown.told).toEqual([Status.SERVICE_UNKNOWN]);
    known.cancel();
    unknown.cancel();
  });
});

describe.each(['v1', 'v1alpha'])('grpc.reflection.%s', (version) => {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const decode = decoder(ServerReflectionResponseSchema);
  type Question = NonNullable<
    MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']
  >;
  type Response = MessageShape<typeof ServerReflectionResponseSchema>;

  /** One stream, which is asked them all. */
  async function ask(...questions: Question[]) {
    const encode = encoder(ServerReflectionRequestSchema);
    const stream = client.makeBidiStreamRequest(path, encode, decode);
    const answers: Response[] = [];
    for (const messageRequest of questions) {
      stream.write(create(ServerReflectionRequestSchema, { host: 'here', messageRequest }));
    }
    stream.end();
    for await (const answer of stream) answers.push(answer);
    return answers;
  }

  /** The names of the files in an answer. */
  function filesOf(answer: Response | undefined) {
    const told = answer?.messageResponse;
    if (told?.case !== 'fileDescriptorResponse') return told?.case;
    return told.value.fileDescriptorProto.map(
      (file) => fromBinary(FileDescriptorProtoSchema, file).name,
    );
  }

  it('lists all services', async () => {
    const [answer] = await ask({ case: 'listServices', value: '' });
    const told = answer?.messageResponse;
    const services = told?.case === 'listServicesResponse' ? told.value.service : [];
    const listed = services.map(({ name }) => name);
    const own = new Set(METHODS.map(({ service }) => service));
    const tools = ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
    const alpha = 'grpc.reflection.v1alpha.ServerReflection';
    expect(listed).toEqual([...own, ...tools, alpha].sort());
    expect(answer?.validHost).toBe('here');
  });

  it('describes whatever is named, with all that it needs', async () => {
    const symbols = ['etcdserverpb.KV', 'etcdserverpb.KV.Range', 'mvccpb.KeyValue'];
    const asked = symbols.map((value) => ({ case: 'fileContainingSymbol', value }) as const);
    const [service, method, message, file] = await ask(...asked, {
      case: 'fileByFilename',
      value: 'lock.proto',
    });
    expect(filesOf(service)).toEqual(expect.arrayContaining(['rpc.proto', 'kv.proto']));
    expect(filesOf(method)).toEqual(filesOf(service));
    expect(filesOf(message)).toEqual(['kv.proto']);
    expect(filesOf(file)).toEqual(expect.arrayContaining(['lock.proto', 'rpc.proto']));
  });

  it('says what it does not know', async () => {
    const unknown = await ask(
      { case: 'fileContainingSymbol', value: 'no.such.Message' },
      { case: 'fileContainingSymbol', value: 'etcdserverpb.KV.Nonsense' },
      { case: 'fileByFilename', value: 'none.proto' },
      { case: 'allExtensionNumbersOfType', value: 'mvccpb.KeyValue' },
    );
    const codes = unknown.map(({ messageResponse: { value } }) =>
      typeof value === 'object' && 'errorCode' in value ? value.errorCode : null,
    );
    expect(codes).toEqual([Code.notFound, Code.notFound, Code.notFound, Code.notFound]);
  });

  it('refuses what is no question, and lives on', async () => {
    const stream = client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, decode);
    const ended = new Promise((resolve) => stream.on('error', resolve));
    stream.write(Buffer.of(0xff));
    expect(await ended).toMatchObject({ code: Code.internal });
    expect(await ask({ case: 'listServices', value: '' })).toHaveLength(1);
  });
});
