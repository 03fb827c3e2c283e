import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import {
  Lease,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import {
  type ServiceHost,
  type StreamRoute,
  type StreamSession,
  type StreamSink,
  stream,
} from './service.ts';

/** etcd's LeaseKeepAlive: each request is a lease to renew, and is answered in its turn. */
export function leaseKeepAlive(host: ServiceHost): StreamRoute {
  return stream(
    Lease.method.leaseKeepAlive,
    (sink, context) => new KeepAliveSession(host, sink, context),
  );
}

/** Requests are renewed at once and together; their answers keep the order. */
class KeepAliveSession implements StreamSession<typeof LeaseKeepAliveRequestSchema> {
  readonly #host: ServiceHost;
  readonly #sink: StreamSink<typeof LeaseKeepAliveResponseSchema>;
  readonly #context: CallContext;
  /** Settles when all that was asked for is answered. */
  #answered: Promise<void> = Promise.resolve();
  #open = 0;

  constructor(
    host: ServiceHost,
    sink: StreamSink<typeof LeaseKeepAliveResponseSchema>,
    context: CallContext,
  ) {
    this.#host = host;
    this.#sink = sink;
    this.#context = context;
  }

  receive({ ID }: LeaseKeepAliveRequest): void {
    if (this.#open >= limits.streamRequestsMax) throw EtcdError.of('tooManyRequests');
    const { authorizer } = this.#host.machine;
    authorizer.checkLeaseKeys(this.#host.caller(this.#context), ID, 'write');
    this.#open++;
    const renewed = this.#host.keepAlives.renew(ID);
    this.#answered = Promise.all([renewed, this.#answered]).then(([TTL]) => {
      this.#open--;
      const header = this.#host.header(this.#host.machine.revision);
      this.#sink.send(create(LeaseKeepAliveResponseSchema, { header, ID, TTL }));
    });
    this.#answered.catch((error) => this.#sink.end(told(error)));
  }

  halfClosed(): void {
    this.#answered.then(() => this.#sink.end()).catch(() => {});
  }

  closed(): void {}
}

function told(error: unknown): EtcdError {
  return error instanceof EtcdError ? error : EtcdError.of('internal');
}
