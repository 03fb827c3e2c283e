import type { Socket } from 'node:net';
import { Code, EtcdError } from '../api/error.ts';
import { messageOf } from '../lib/error.ts';
import { Http2Connection, type ServerStream } from './http2/connection.ts';
import { encodeHeaders, type Headers } from './http2/hpack.ts';
import { ServerCall, type Service } from './server_call.ts';

/** gRPC on connections that are given to it. Who serves a method gets its messages as bytes. */
export class GrpcServer {
  readonly #services = new Map<string, Service>();

  /** @param path as in `/etcdserverpb.KV/Range` */
  register(path: string, service: Service): void {
    this.#services.set(path, service);
  }

  /** A connection of HTTP/2, of which nothing has been read. */
  connected(socket: Socket): void {
    new Http2Connection(socket, (stream, headers) => this.#accept(stream, headers));
  }

  #accept(stream: ServerStream, headers: Headers) {
    if (headers.get('content-type')?.startsWith('application/grpc') !== true) {
      stream.out.end(NOT_GRPC);
      return NOBODY;
    }
    const path = headers.get(':path') ?? '';
    const service = this.#services.get(path);
    try {
      const call = new ServerCall(stream, headers);
      if (service !== undefined) call.serve(service);
      else call.end(new EtcdError(Code.unimplemented, `unknown method ${path}`));
      return call;
    } catch (error) {
      const call = new ServerCall(stream, new Map());
      const isKnown = error instanceof EtcdError;
      call.end(isKnown ? error : new EtcdError(Code.internal, messageOf(error)));
      return call;
    }
  }
}

const NOT_GRPC = encodeHeaders([[':status', '415']]);
const NOBODY = { data: () => undefined, closed: () => undefined };
