import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import type { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import type { ResponseHeader } from '../../api/gen/rpc_pb.ts';
import type { MemberId } from '../../raft/message.ts';
import type { StateMachine } from '../../state/machine.ts';
import type { ApplyResult } from '../../state/result.ts';
import type { ClusterIdentity } from '../identity.ts';
import type { Lessor } from '../lessor.ts';
import type { Node } from '../node.ts';
import type { MemberSettings } from '../settings.ts';

/** What the services are built on: one running member. */
export interface ServiceHost {
  readonly node: Node;
  readonly machine: StateMachine;
  readonly identity: ClusterIdentity;
  readonly settings: MemberSettings;
  readonly lessor: Lessor;
  /** Replicates a command and applies it. @throws EtcdError */
  propose(request: Command['request'], context: CallContext): Promise<ApplyResult>;
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

export type Serve = (request: never, context: CallContext) => Promise<MessageShape<DescMessage>>;

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
  /** Calls back once, when few bytes are left: the way for a service to wait for a slow reader. */
  drained(callback: () => void): void;
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
  /** The client is gone, or the member stops: give back what the stream holds. Called once. */
  closed(): void;
}

export type OpenStream = (sink: StreamSink<never>, context: CallContext) => StreamSession<never>;

/** One served method with a stream of answers, and perhaps one of requests. */
export interface StreamRoute {
  readonly method: DescMethod;
  readonly open: OpenStream;
}

/** Ties a streaming method to the function that opens a session of it. */
export function stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  open: (sink: StreamSink<O>, context: CallContext) => StreamSession<I>,
): StreamRoute {
  return { method, open: open as unknown as OpenStream };
}

/** Ties a method to the function that serves it, with the types of its messages. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  serve: (request: MessageShape<I>, context: CallContext) => Promise<MessageShape<O>>,
): Route {
  return { method, serve: serve as Serve };
}
