import {
  create,
  createRegistry,
  type DescFile,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, EtcdError } from '../api/error.ts';
import { file_election } from '../api/gen/election_pb.ts';
import { file_health } from '../api/gen/health_pb.ts';
import { file_lock } from '../api/gen/lock_pb.ts';
import {
  file_reflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../api/gen/reflection_pb.ts';
import { file_rpc } from '../api/gen/rpc_pb.ts';
import { GrpcClientStream } from './client_stream.ts';
import type { GrpcServer } from './grpc_server.ts';
import type { Service } from './server_call.ts';

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse'];

/** What is served; what these files import belongs to them. */
const FILES = [file_rpc, file_lock, file_election, file_health, file_reflection];

/** Tools of before 2023 ask under the first name. The messages are the same. */
const NAMES = ['grpc.reflection.v1alpha.ServerReflection', 'grpc.reflection.v1.ServerReflection'];

/** gRPC's reflection: grpcurl and its like need no .proto files. */
export function addReflectionService(server: GrpcServer): void {
  const info: Service = (call) => {
    const client = new GrpcClientStream(call, () => undefined);
    return {
      message: (bytes) => client.send(answer(bytes)),
      finished: () => client.end(null),
      cancelled: () => client.cancelled(),
    };
  };
  for (const name of NAMES) server.register(`/${name}/ServerReflectionInfo`, info);
}

/** @throws EtcdError */
function answer(bytes: Uint8Array): Uint8Array {
  const originalRequest = decode(bytes);
  const messageResponse = answerTo(originalRequest);
  const fields = { validHost: originalRequest.host, originalRequest, messageResponse };
  return toBinary(
    ServerReflectionResponseSchema,
    create(
      ServerReflectionResponseSchema,
      fields as MessageInitShape<typeof ServerReflectionResponseSchema>,
    ),
  );
}

function decode(bytes: Uint8Array): ServerReflectionRequest {
  try {
    return fromBinary(ServerReflectionRequestSchema, bytes);
  } catch {
    throw new EtcdError(Code.internal, 'grpc: error unmarshalling request');
  }
}

function answerTo({ messageRequest }: ServerReflectionRequest): Answer {
  switch (messageRequest.case) {
    case 'listServices': {
      const served = FILES.flatMap(({ services }) => services.map(({ typeName }) => typeName));
      const service = [...served, NAMES[0] ?? ''].sort().map((name) => ({ name }));
      return { case: 'listServicesResponse', value: { service } };
    }
    case 'fileByFilename':
      return descriptorOf(fileNamed(messageRequest.value));
    case 'fileContainingSymbol':
      return descriptorOf(fileOf(messageRequest.value));
    default:
      return failure(Code.notFound, 'there are no extensions');
  }
}

/** The file that declares a message, an enumeration, a service, or a method of one. */
function fileOf(symbol: string): DescFile | undefined {
  const registry = createRegistry(...FILES.flatMap(withImports));
  const own = symbol.replace('grpc.reflection.v1alpha.', 'grpc.reflection.v1.');
  const dot = own.lastIndexOf('.');
  const service = registry.getService(own.slice(0, dot));
  const isMethod = service?.methods.some(({ name }) => name === own.slice(dot + 1)) === true;
  return registry.get(own)?.file ?? (isMethod ? service.file : undefined);
}

function fileNamed(path: string): DescFile | undefined {
  return FILES.flatMap(withImports).find(({ name }) => `${name}.proto` === path);
}

function descriptorOf(file: DescFile | undefined): Answer {
  if (file === undefined) return failure(Code.notFound, 'not found');
  const fileDescriptorProto = withImports(file).map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

/** The file, and those that it needs. */
function withImports(file: DescFile): DescFile[] {
  const files = new Set<DescFile>();
  const add = (each: DescFile): void => {
    if (files.has(each)) return;
    files.add(each);
    each.dependencies.forEach(add);
  };
  add(file);
  return [...files];
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
