import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { Code } from '../api/error.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../api/gen/health_pb.ts';
import { METHODS } from '../api/methods.ts';

/** How often those who watch are told of a change. */
const WATCH_MS = 1_000;

const asBuffer = (bytes: Buffer): Buffer => bytes;
const encode = (status: Status): Buffer =>
  Buffer.from(toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status })));

/** gRPC's own health service: whether an endpoint can be reached that is well. */
export function addHealthService(server: Server, isHealthy: () => Promise<boolean>): void {
  const statusOf = async (request: Buffer): Promise<Status> => {
    const { service } = fromBinary(HealthCheckRequestSchema, request);
    const isKnown = service === '' || METHODS.some((method) => method.service === service);
    if (!isKnown) return Status.SERVICE_UNKNOWN;
    return (await isHealthy()) ? Status.SERVING : Status.NOT_SERVING;
  };
  const check = (call: ServerUnaryCall<Buffer, Status>, respond: sendUnaryData<Status>): void => {
    statusOf(call.request).then(
      (status) => {
        if (status !== Status.SERVICE_UNKNOWN) return respond(null, status);
        respond({ code: Code.notFound, details: 'unknown service' });
      },
      () => respond({ code: Code.invalidArgument, details: 'not a health check' }),
    );
  };
  const watch = (call: ServerWritableStream<Buffer, Status>): void => {
    let last: Status | null = null;
    let timer: NodeJS.Timeout | undefined;
    const tell = async (): Promise<void> => {
      const status = await statusOf(call.request).catch(() => Status.UNKNOWN);
      if (call.cancelled) return;
      if (status !== last) call.write(status);
      last = status;
      timer = setTimeout(() => void tell(), WATCH_MS);
    };
    call.on('cancelled', () => clearTimeout(timer));
    void tell();
  };
  server.register('/grpc.health.v1.Health/Check', check, encode, asBuffer, 'unary');
  server.register('/grpc.health.v1.Health/Watch', watch, encode, asBuffer, 'serverStream');
}
