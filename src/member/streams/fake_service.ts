import { create, type MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import type { Code, EtcdError } from '../../api/error.ts';
import {
  Election,
  type LeaderRequestSchema,
  LeaderResponseSchema,
} from '../../api/gen/election_pb.ts';
import { Watch, type WatchRequestSchema, WatchResponseSchema } from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { type StreamRoute, type StreamSink, stream } from '../services/service.ts';
import type { StreamsHost } from './streams.ts';

type WatchSink = StreamSink<typeof WatchResponseSchema>;

/**
 * A service for tests of what is around services: a watch that answers each request with its watch
 * id, and an observation that answers with the name.
 */
export class FakeService {
  readonly told: string[] = [];
  readonly sinks: WatchSink[] = [];
  /** What the next session does when it is opened, or receives. */
  onOpen: (sink: WatchSink) => void = () => {};
  onReceive: (request: MessageShape<typeof WatchRequestSchema>) => void = () => {};
  saved: unknown = null;

  get sink(): WatchSink {
    return must(this.sinks.at(-1), 'a stream was opened');
  }

  send(watchId: bigint): void {
    this.sink.send(create(WatchResponseSchema, { watchId }));
  }

  readonly watch: StreamRoute = stream(
    Watch.method.watch,
    (sink, context) => this.#session(sink, `open ${context.token}`),
    (saved, sink) => this.#session(sink, `resume ${JSON.stringify(saved)}`),
  );

  readonly observe: StreamRoute = stream(Election.method.observe, (sink) => ({
    receive: ({ name }: MessageShape<typeof LeaderRequestSchema>) => {
      this.told.push(`receive ${name.length}`);
      sink.send(create(LeaderResponseSchema));
    },
    halfClosed: () => void this.told.push('halfClosed'),
    closed: () => void this.told.push('closed'),
  }));

  #session(sink: WatchSink, how: string) {
    this.told.push(how);
    this.sinks.push(sink);
    this.onOpen(sink);
    return {
      receive: (request: MessageShape<typeof WatchRequestSchema>) => {
        this.told.push(`receive ${request.requestUnion.case}`);
        this.onReceive(request);
      },
      halfClosed: () => void this.told.push('halfClosed'),
      closed: () => void this.told.push('closed'),
      save: () => this.saved,
    };
  }
}

/** A member around those services, for tests. */
export class FakeMember implements StreamsHost {
  readonly service = new FakeService();
  readonly calls: string[] = [];
  electionTimeoutMs = 1_000;
  leaderKnown = true;
  leaderName = 'm1';
  streamsMax = 10;
  now = 0;
  admit: StreamsHost['admit'] = (_method, context) => context;

  nowMs(): number {
    return this.now;
  }

  routeOf(path: string): StreamRoute | null {
    if (path === '/v3/watch') return this.service.watch;
    return path === '/v3/election/observe' ? this.service.observe : null;
  }

  started(path: string): number {
    this.calls.push(`started ${path}`);
    return this.now;
  }

  handled(path: string, code: Code): void {
    this.calls.push(`handled ${path} ${code}`);
  }

  received(): void {}
  sent(): void {}

  unexpected(_path: string, error: unknown): EtcdError {
    throw error;
  }
}

export const ANYBODY: CallContext = { token: null, timeoutMs: null, requireLeader: false };
