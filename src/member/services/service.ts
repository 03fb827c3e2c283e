import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import type { Caller } from '../../api/caller.ts';
import type { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import type { ResponseHeader } from '../../api/gen/rpc_pb.ts';
import type { MemberId } from '../../raft/message.ts';
import type { StateMachine } from '../../state/machine.ts';
import type { MembershipChange } from '../../state/membership.ts';
import type { ApplyResult } from '../../state/result.ts';
import type { Hub } from '../../watch/hub.ts';
import type { Authentication } from '../auth/authentication.ts';
import type { Belonging } from '../belonging.ts';
import type { ClusterIdentity } from '../identity.ts';
import type { KeepAlives } from '../keep_alives.ts';
import type { Lessor } from '../lessor.ts';
import type { Node } from '../node.ts';
import type { MemberSettings } from '../settings.ts';
import type { Upkeep } from '../upkeep.ts';
import type { WatchStreams } from '../watch_streams.ts';

/** The member's time. */
export interface ServiceClock {
  /** Milliseconds, never going back within an instance. */
  nowMs(): number;
  /** Milliseconds since 1970, for what is recorded in entries. */
  wallClockMs(): number;
  /** Calls back in an event of its own, after those that have arrived. */
  defer(callback: () => void): void;
  setTimer(callback: () => void, ms: number): void;
}

/** What the services are built on: one running member. */
export interface ServiceHost {
  readonly node: Node;
  readonly machine: StateMachine;
  readonly identity: ClusterIdentity;
  readonly belonging: Pick<Belonging, 'isLearner'>;
  readonly settings: MemberSettings;
  readonly lessor: Lessor;
  readonly upkeep: Upkeep;
  readonly keepAlives: KeepAlives;
  readonly clock: ServiceClock;
  /** Every watch at this member: those of clients, and those of services. */
  readonly watches: Hub;
  readonly watchStreams: WatchStreams;
  readonly authentication: Authentication;
  /** Replicates a command and applies it. @throws EtcdError */
  propose(request: Command['request'], context: CallContext): Promise<ApplyResult>;
  /** The same of what this member decides by itself: nobody's permission is asked. */
  proposeOwn(request: Command['request'], context: CallContext): Promise<ApplyResult>;
  /**
   * On whose behalf the state is read, as of now: asked for after the wait, right before the read.
   * @throws EtcdError when the token is not good any more
   */
  caller(context: CallContext): Caller;
  /** A change of who votes, at the leader. @throws EtcdError */
  reconfigure(request: MembershipChange, context: CallContext): Promise<ApplyResult>;
  /** On return the local state contains every write completed before the call. @throws EtcdError */
  linearizable(context: CallContext): Promise<void>;
  /** Returns when a scheduled compaction has removed its rows here. */
  compacted(): Promise<void>;
  /** Returns when the target leads, fails when that takes too long. @throws EtcdError */
  transferLeadership(target: MemberId): Promise<void>;
  /**
   * The header of an answer about the store; without a revision that of an answer about the
   * cluster.
   */
  header(revision?: number): ResponseHeader;
  /** A method that only the leader can answer, asked there. @throws EtcdError */
  askLeader<O extends DescMessage>(
    method: DescMethod & { output: O },
    request: MessageShape<DescMessage>,
    context: CallContext,
  ): Promise<MessageShape<O>>;
}

/** `signal` is given to a method that waits, see {@link waiting}. */
export type Serve = (
  request: never,
  context: CallContext,
  signal?: AbortSignal,
) => Promise<MessageShape<DescMessage>>;

/** One served method of one request and one answer: the full gRPC name and what answers it. */
export interface Route {
  readonly method: DescMethod;
  readonly serve: Serve;
}

/**
 * Where a stream's service puts its answers. The transport behind it (a chunked HTTP answer, a
 * WebSocket, server-sent events) is none of its business.
 */
export interface StreamSink<O extends DescMessage = DescMessage> {
  /** The next frame. Nothing may be sent after `end`; after the client is gone it is dropped. */
  send(message: MessageShape<O>): void;
  /**
   * Ends the stream, with an error or well. Before the first frame the error becomes the HTTP
   * status.
   */
  end(error?: EtcdError): void;
  /** Bytes that the client has not taken yet. */
  readonly bufferedBytes: number;
  /**
   * Calls back once, when few bytes are left (never before it returns): the way for a service to
   * wait for a slow reader. Not called any more once the stream is over.
   */
  drained(callback: () => void): void;
  /** What the session's `save` says has changed without a frame or a request. Cheap. */
  changed(): void;
}

/** One open stream, as its service sees the client's side of it. Called in order, never at once. */
export interface StreamSession<I extends DescMessage = DescMessage> {
  /** The next request. @throws EtcdError to end the stream with it */
  receive(request: MessageShape<I>): void;
  /**
   * The client will send no more. A watch goes on, a keepalive ends when all is answered: the
   * service decides, by calling `end`.
   */
  halfClosed(): void;
  /**
   * The stream is over, whoever ended it (the client, the service, the member that stops): give
   * back what it holds. Called once; nothing is called after it.
   */
  closed(): void;
  /**
   * What a new instance of the member needs to go on with this stream: plain JSON of a few KB, with
   * bigints as text. null: it cannot be saved now. Asked after changes, some time later, so that an
   * idle WebSocket outlives the instance. A session without it ends with its instance.
   */
  save?(): unknown;
}

export type OpenStream = (sink: StreamSink<never>, context: CallContext) => StreamSession<never>;

/** Goes on with a stream whose session was saved; neither `open` nor `receive` is repeated. */
export type ResumeStream = (
  saved: unknown,
  sink: StreamSink<never>,
  context: CallContext,
) => StreamSession<never>;

/** One served method with a stream of answers, and perhaps one of requests. */
export interface StreamRoute {
  readonly method: DescMethod;
  /** @throws EtcdError to refuse the stream */
  readonly open: OpenStream;
  /** @throws EtcdError to end the stream with it */
  readonly resume?: ResumeStream;
}

/** Ties a streaming method to the functions that open a session of it, and that resume one. */
export function stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  open: (sink: StreamSink<O>, context: CallContext) => StreamSession<I>,
  resume?: (saved: unknown, sink: StreamSink<O>, context: CallContext) => StreamSession<I>,
): StreamRoute {
  const route: StreamRoute = { method, open: open as unknown as OpenStream };
  return resume ? { ...route, resume: resume as unknown as ResumeStream } : route;
}

/**
 * Ties a unary method that waits (a lock, a campaign) to the function that serves it. The signal
 * fires when the client has hung up: the function then undoes what it did and throws "context
 * canceled". Which methods wait is said by `waits` in api/methods.ts, for the way they are
 * delivered.
 */
export function waiting<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  serve: (
    request: MessageShape<I>,
    context: CallContext,
    signal: AbortSignal,
  ) => Promise<MessageShape<O>>,
): Route {
  const withSignal = (
    request: MessageShape<I>,
    context: CallContext,
    signal = new AbortController().signal,
  ) => serve(request, context, signal);
  return { method, serve: withSignal as Serve };
}

/** Ties a method to the function that serves it, with the types of its messages. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  serve: (request: MessageShape<I>, context: CallContext) => Promise<MessageShape<O>>,
): Route {
  return { method, serve: serve as Serve };
}
