import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, EtcdError } from '../api/error.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../api/gen/health_pb.ts';
import { METHODS } from '../api/methods.ts';
import type { GrpcServer } from './grpc_server.ts';
import type { ServerCall, Service } from './server_call.ts';

/** How often those who watch are told of a change. */
const WATCH_MS = 1_000;

const encode = (status: Status): Uint8Array =>
  toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status }));

/** gRPC's own health service: whether an endpoint can be reached that is well. */
export function addHealthService(server: GrpcServer, isHealthy: () => Promise<boolean>): void {
  const statusOf = async (service: string): Promise<Status> => {
    const isKnown = service === '' || METHODS.some((method) => method.service === service);
    if (!isKnown) return Status.SERVICE_UNKNOWN;
    return (await isHealthy()) ? Status.SERVING : Status.NOT_SERVING;
  };
  server.register('/grpc.health.v1.Health/Check', checking(statusOf));
  server.register('/grpc.health.v1.Health/Watch', watching(statusOf));
}

type StatusOf = (service: string) => Promise<Status>;

function checking(statusOf: StatusOf): Service {
  return (call) => ({
    message: (bytes) => {
      void statusOf(serviceIn(bytes)).then((status) => {
        if (status !== Status.SERVICE_UNKNOWN) call.answer(encode(status));
        else call.end(new EtcdError(Code.notFound, 'unknown service'));
      });
    },
    finished: () => undefined,
    cancelled: () => undefined,
  });
}

function watching(statusOf: StatusOf): Service {
  return (call) => {
    let stop = (): void => undefined;
    return {
      message: (bytes) => {
        stop();
        stop = follow(call, statusOf, serviceIn(bytes));
      },
      finished: () => undefined,
      cancelled: () => stop(),
    };
  };
}

/** @returns how to end it */
function follow(call: ServerCall, statusOf: StatusOf, service: string): () => void {
  let last: Status | null = null;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const tell = async (): Promise<void> => {
    const status = await statusOf(service);
    if (over) return;
    if (status !== last) call.send(encode(status), () => undefined);
    last = status;
    timer = setTimeout(() => void tell(), WATCH_MS);
  };
  void tell();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** @throws EtcdError */
function serviceIn(bytes: Uint8Array): string {
  try {
    return fromBinary(HealthCheckRequestSchema, bytes).service;
  } catch {
    throw new EtcdError(Code.internal, 'grpc: error unmarshalling request');
  }
}
