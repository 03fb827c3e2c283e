import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import type { MemberId } from '../raft/message.ts';
import type { StateMachine } from '../state/machine.ts';
import type { Frame, FrameBody, FrameReply } from '../transport/frame.ts';
import type { Links } from '../transport/links.ts';
import { type Authentication, isOldRevision } from './auth/authentication.ts';
import type { Route, ServiceHost } from './services/index.ts';

/** A leader that knows of later changes of users than this member is asked again, so often. */
const ATTEMPTS_MAX = 3;

/**
 * The methods that members answer for each other's clients: what only the leader knows. Nothing
 * else is served to a peer, whatever it asks for.
 */
const FORWARDED: ReadonlySet<string> = new Set([
  'etcdserverpb.Lease/LeaseTimeToLive',
  'etcdserverpb.Cluster/MemberAdd',
  'etcdserverpb.Cluster/MemberRemove',
  'etcdserverpb.Cluster/MemberPromote',
]);

/** What a member asks for many of its clients at once, each of whom it has looked at. */
const OWN: ReadonlySet<string> = new Set(['edgetcd.Leader/RenewLeases']);

type ForwardingHost = Pick<ServiceHost, 'header' | 'linearizable'> & {
  readonly machine: () => StateMachine;
  readonly authentication: Authentication;
  readonly routes: ReadonlyMap<string, Route>;
  /** null: nobody, or this member. */
  readonly otherLeader: () => MemberId | null;
  readonly isLeading: () => boolean;
  readonly exchange: Links['exchange'];
  /** What members tell each other whoever leads; null: the path is another's. */
  readonly answerPeer: (path: string, request: Uint8Array) => Uint8Array | null;
};

/** Calls that members pass on to their leader, with the name of the client whose call it is. */
export class Forwarding {
  readonly #host: ForwardingHost;

  constructor(host: ForwardingHost) {
    this.#host = host;
  }

  /** Asks the leader. @throws EtcdError */
  async ask<O extends DescMessage>(
    method: DescMethod & { output: O },
    request: MessageShape<DescMessage>,
    context: CallContext,
  ): Promise<MessageShape<O>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#askOnce(method, request, context);
      } catch (error) {
        const { access } = this.#host.authentication;
        const again = isOldRevision(error) && access.canRefresh(context);
        if (!again || attempt === ATTEMPTS_MAX) throw error;
        // The leader has applied what this member has not.
        await this.#host.linearizable(context);
      }
    }
  }

  /** A call of another member, which asks because this one leads. */
  async answer(frame: Frame & { body: { kind: 'call' } }): Promise<FrameReply['call']> {
    const { path, request, caller } = frame.body;
    try {
      const told = this.#host.answerPeer(path, request);
      if (told) return { response: told };
      const isKnown = FORWARDED.has(path) || OWN.has(path);
      const route = isKnown ? this.#host.routes.get(path) : undefined;
      if (!route) throw EtcdError.of('internal');
      if (!this.#host.isLeading()) throw EtcdError.of('leaderChanged');
      const { access } = this.#host.authentication;
      const context = access.vouched(
        { token: null, timeoutMs: null, requireLeader: false },
        caller.username,
        caller.authRevision,
      );
      // Asked again here: the other member may not have heard yet of what its client lost.
      if (!OWN.has(path)) access.check(route.method.parent.typeName, route.method.name, context);
      const message = fromBinary(route.method.input, request);
      const response = await route.serve(message as never, context);
      return { response: toBinary(route.method.output, response) };
    } catch (error) {
      const { code, message } = error instanceof EtcdError ? error : EtcdError.of('internal');
      return { code, message };
    }
  }

  async #askOnce<O extends DescMessage>(
    method: DescMethod & { output: O },
    request: MessageShape<DescMessage>,
    context: CallContext,
  ): Promise<MessageShape<O>> {
    const { username, authRevision } = this.#host.authentication.access.caller(context);
    const leader = this.#host.otherLeader();
    if (leader === null) throw EtcdError.of('noLeader');
    const body: FrameBody = {
      kind: 'call',
      path: `${method.parent.typeName}/${method.name}`,
      request: toBinary(method.input, request),
      caller: { username, authRevision: Number(authRevision) },
    };
    const reply = await this.#host.exchange(leader, body).catch((): FrameReply => {
      throw EtcdError.of(
        context.timeoutMs === null ? 'timeoutDueToConnectionLost' : 'deadlineExceeded',
      );
    });
    // It has just been restarted, and does not lead any more.
    if (reply.call === null) throw EtcdError.of('leaderChanged');
    const result = reply.call;
    if ('code' in result) throw EtcdError.told(result.code, result.message, Code.internal);
    const response = fromBinary(method.output, result.response);
    // The answer speaks for this member: its header names who was asked.
    const header = this.#host.header(this.#host.machine().revision);
    return Object.assign(response, { header });
  }
}
