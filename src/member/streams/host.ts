import type { CallContext, CallReply } from '../../api/call.ts';
import type { Code, EtcdError } from '../../api/error.ts';
import type { MemberMeter } from '../meter.ts';
import { streamRouteOf } from '../routing.ts';
import type { Runtime } from '../runtime.ts';
import { Calls } from '../session/calls.ts';
import type { ClientStreamsHost } from './client_streams.ts';

/** What streams ask of the object around them. */
export interface StreamsServer {
  readonly meter: MemberMeter;
  readonly nowMs: () => number;
  call(path: string, body: string, context: CallContext, signal?: AbortSignal): Promise<CallReply>;
  unexpected(path: string, error: unknown): EtcdError;
}

/** A running member as its clients' streams see it. */
export function streamsHost(runtime: Runtime, server: StreamsServer): ClientStreamsHost {
  const { meter } = server;
  const observer = {
    started: (path: string) => meter.started(path),
    handled: (path: string, code: Code, startMs: number) => meter.handled(path, code, startMs),
    received: (bytes: number) => meter.received(bytes),
    sent: (bytes: number) => meter.sent(bytes),
    unexpected: (path: string, error: unknown) => server.unexpected(path, error),
  };
  return {
    ...observer,
    sessionCalls: new Calls(runtime, observer),
    identity: () => runtime.sessionIdentity,
    electionTimeoutMs: runtime.settings.electionTimeoutMs,
    get leaderKnown() {
      return runtime.node.soft.leader !== null;
    },
    get leaderName() {
      return runtime.leaderName;
    },
    streamsMax: runtime.settings.streamsMax,
    nowMs: server.nowMs,
    admit: ({ service, name }, context) =>
      runtime.authentication.access.admit(service, name, context),
    routeOf: (path) => streamRouteOf(runtime, path),
    started: (path) => {
      meter.metrics.edge.streams.inc();
      return meter.started(path);
    },
    call: (path, body, context, signal) => server.call(path, body, context, signal),
    waitForKeys: (wait, outlet) => runtime.v2.waits.open(wait, outlet),
  };
}
