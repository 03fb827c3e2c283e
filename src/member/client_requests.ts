import type { CallContext } from '../api/call.ts';
import { type Caller, INTERNAL } from '../api/caller.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { marshalledSize } from '../api/size.ts';
import { requestTimeoutMs } from '../config.ts';
import type { MembershipChange } from '../state/membership.ts';
import type { Authentication } from './auth/authentication.ts';
import { isOldRevision } from './auth/authentication.ts';
import type { Node } from './node.ts';
import type { ProposalOutcome } from './proposals.ts';
import type { MemberSettings } from './settings.ts';
import type { Upkeep } from './upkeep.ts';

/** Proposals of one call: each is another change of users or roles that came before it. */
const AUTH_ATTEMPTS_MAX = 8;

/** Called once: with what applying the write did (never with an error in it), or why it failed. */
export type OnOutcome = (outcome: ProposalOutcome) => void;

export interface ClientRequestsHost {
  readonly node: Node;
  readonly settings: MemberSettings;
  readonly authentication: Authentication;
  readonly upkeep: Upkeep;
}

/**
 * What clients ask of the node: checked, timed, told in the client's terms, and asked again when
 * rights have changed meanwhile. By callbacks, because a session has hundreds of them in a turn;
 * the services' promises are made around them.
 */
export class ClientRequests {
  readonly #host: ClientRequestsHost;

  constructor(host: ClientRequestsHost) {
    this.#host = host;
  }

  /** Replicates a command and applies it. @throws EtcdError when it is refused at once */
  propose(request: Command['request'], context: CallContext, done: OnOutcome): void {
    const { node, settings, authentication, upkeep } = this.#host;
    this.#checkLeader(context);
    const { value } = request;
    if (value && marshalledSize(value) > settings.requestBytesMax) {
      throw EtcdError.of('requestTooLarge');
    }
    const caller = authentication.access.caller(context);
    if (node.machine.auth.enabled && caller.username === '') throw EtcdError.of('userEmpty');
    if (upkeep.admits(request)) return this.#proposeAs(caller, request, context, done, 1);
    upkeep.refuse().catch((error: EtcdError) => done({ error }));
  }

  /** The same of what the member decides by itself: nobody's permission is asked. */
  proposeOwn(request: Command['request'], context: CallContext, done: OnOutcome): void {
    this.#proposeAs(INTERNAL, request, context, done, 1);
  }

  /** A change of who votes, at the leader. @throws EtcdError when it is refused at once */
  reconfigure(request: MembershipChange, context: CallContext, done: OnOutcome): void {
    const { node, authentication } = this.#host;
    this.#checkLeader(context);
    node.machine.authorizer.checkAdmin(authentication.access.caller(context));
    node.proposeConfChange(request, this.#timeoutMs(context), (outcome) => {
      const refused = outcome.error ?? outcome.result.error;
      done(refused ? { error: this.#timedOut(context, refused) } : outcome);
    });
  }

  /**
   * Linearizability: once `done` is called without an error the local state contains every write
   * completed before the call. @throws EtcdError
   */
  barrier(context: CallContext, done: (error: EtcdError | null) => void): void {
    this.#checkLeader(context);
    this.#host.node.barrier(this.#timeoutMs(context), (error) =>
      done(error && this.#timedOut(context, error)),
    );
  }

  #proposeAs(
    caller: Caller,
    request: Command['request'],
    context: CallContext,
    done: OnOutcome,
    attempt: number,
  ): void {
    const { node, authentication } = this.#host;
    const told = (outcome: ProposalOutcome): void => {
      const refused = outcome.error ?? outcome.result.error;
      if (!refused) return done(outcome);
      // Users or roles have changed while it was on its way: who calls is looked at again.
      const { access } = authentication;
      const again = isOldRevision(refused) && !caller.internal && access.canRefresh(context);
      if (!again || attempt >= AUTH_ATTEMPTS_MAX) {
        return done({ error: this.#timedOut(context, refused) });
      }
      try {
        this.#proposeAs(access.caller(context), request, context, done, attempt + 1);
      } catch (invalid) {
        if (!(invalid instanceof EtcdError)) throw invalid;
        done({ error: invalid });
      }
    };
    node.propose(request, this.#timeoutMs(context), told, 0, caller);
  }

  #checkLeader({ requireLeader }: CallContext): void {
    if (requireLeader && this.#host.node.soft.leader === null) throw EtcdError.of('noLeader');
  }

  /** The server's own deadline, or the client's when that is earlier. */
  #timeoutMs({ timeoutMs }: CallContext): number {
    const own = requestTimeoutMs(this.#host.settings.electionTimeoutMs);
    return timeoutMs === null ? own : Math.max(0, Math.min(own, timeoutMs));
  }

  /** A client whose own deadline passed is told so in gRPC's words. */
  #timedOut({ timeoutMs }: CallContext, error: EtcdError): EtcdError {
    const own = requestTimeoutMs(this.#host.settings.electionTimeoutMs);
    const late = error.message.startsWith('etcdserver: request timed out');
    return late && timeoutMs !== null && timeoutMs < own ? EtcdError.of('deadlineExceeded') : error;
  }
}
