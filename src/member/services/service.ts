import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
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

/** One served method: the full gRPC name and what answers it. */
export interface Route {
  readonly method: DescMethod;
  readonly serve: Serve;
}

/** Ties a method to the function that serves it, with the types of its messages. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  serve: (request: MessageShape<I>, context: CallContext) => Promise<MessageShape<O>>,
): Route {
  return { method, serve: serve as Serve };
}
