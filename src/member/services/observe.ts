import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import {
  Election,
  type LeaderRequest,
  type LeaderRequestSchema,
  LeaderResponseSchema,
} from '../../api/gen/election_pb.ts';
import { limits } from '../../config.ts';
import { codeless } from './codeless.ts';
import { ownerRange } from './contest.ts';
import type { ContestHost } from './contests.ts';
import { type StreamRoute, type StreamSession, type StreamSink, stream } from './service.ts';
import { range } from './store.ts';

/** etcd's Election.Observe: the leader, and from then on each one and each value that follows. */
export function observeElection(host: ContestHost): StreamRoute {
  return stream(Election.method.observe, (sink, context) => new Observer(host, sink, context));
}

/**
 * Sends who leads whenever that has changed. What a slow reader has not seen when the next change
 * comes is passed over: it is told the newest.
 */
class Observer implements StreamSession<typeof LeaderRequestSchema> {
  readonly #host: ContestHost;
  readonly #sink: StreamSink<typeof LeaderResponseSchema>;
  readonly #context: CallContext;
  #stop = () => {};
  #isClosed = false;
  #isDraining = false;
  /** The last that was sent: a change of the leader's key is a revision of its own. */
  #sentRevision = 0n;

  constructor(
    host: ContestHost,
    sink: StreamSink<typeof LeaderResponseSchema>,
    context: CallContext,
  ) {
    this.#host = host;
    this.#sink = sink;
    this.#context = context;
  }

  receive({ name }: LeaderRequest): void {
    this.#start(name).catch((error) => this.#fail(error));
  }

  halfClosed(): void {}

  closed(): void {
    this.#isClosed = true;
    this.#stop();
  }

  /** The first answer is about a state that is not older than the request. */
  async #start(name: Uint8Array): Promise<void> {
    await this.#host.linearizable(this.#context);
    if (this.#isClosed) return;
    this.#watch(name);
    this.#look(name);
  }

  #watch(name: Uint8Array): void {
    const { key, rangeEnd } = ownerRange(name);
    this.#stop = this.#host.watches.watch(
      { key, rangeEnd },
      {
        events: () => this.#look(name),
        compacted: () => {
          this.#watch(name);
          this.#look(name);
        },
      },
    );
  }

  #look(name: Uint8Array): void {
    if (this.#isClosed || this.#isDraining) return;
    if (this.#sink.bufferedBytes > limits.streamHighWaterBytes) {
      this.#isDraining = true;
      this.#sink.drained(() => {
        this.#isDraining = false;
        this.#look(name);
      });
      return;
    }
    try {
      const { header, kvs } = range(this.#host, ownerRange(name), this.#context);
      const [kv] = kvs;
      if (!kv || kv.modRevision === this.#sentRevision) return;
      this.#sentRevision = kv.modRevision;
      this.#sink.send(create(LeaderResponseSchema, { header, kv }));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#sink.end(error instanceof EtcdError ? codeless(error) : EtcdError.of('internal'));
  }
}
