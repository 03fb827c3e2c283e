import type { CallContext } from '../api/call.ts';
import type { Caller } from '../api/caller.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { requestTimeoutMs } from '../config.ts';
import { must } from '../lib/assert.ts';
import type { MembershipChange } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import { type Authentication, isOldRevision } from './auth/authentication.ts';
import type { Node } from './node.ts';
import type { ProposalOutcome } from './proposals.ts';

/** Proposals of one call: each is another change of users or roles that came before it. */
const AUTH_ATTEMPTS_MAX = 8;

/** What a client's call asks of the whole cluster, with that call's deadline and errors. */
export class RaftRequests {
  readonly #node: Node;
  readonly #authentication: Authentication;
  /** The member's own deadline. */
  readonly #ownTimeoutMs: number;

  constructor(node: Node, authentication: Authentication, electionTimeoutMs: number) {
    this.#node = node;
    this.#authentication = authentication;
    this.#ownTimeoutMs = requestTimeoutMs(electionTimeoutMs);
  }

  /** Replicates a command and applies it, on behalf of the caller. @throws EtcdError */
  propose(
    caller: Caller,
    request: Command['request'],
    context: CallContext,
    attempt = 1,
  ): Promise<ApplyResult> {
    return new Promise((resolve, reject) => {
      const done = ({ result, error }: ProposalOutcome) => {
        const refused = error ?? result?.error;
        if (!refused) return resolve(must(result, 'neither result nor error'));
        // Users or roles have changed while it was on its way: who calls is looked at again.
        const { access } = this.#authentication;
        const again = isOldRevision(refused) && !caller.internal && access.canRefresh(context);
        if (!again || attempt >= AUTH_ATTEMPTS_MAX) {
          return reject(this.#timedOut(context, refused));
        }
        try {
          const now = access.caller(context);
          resolve(this.propose(now, request, context, attempt + 1));
        } catch (invalid) {
          reject(invalid);
        }
      };
      this.#node.propose(request, this.#timeoutMs(context), done, 0, caller);
    });
  }

  /** On return the local state contains every write completed before the call. @throws EtcdError */
  readIndex(context: CallContext): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#node.barrier(this.#timeoutMs(context), (error) => {
        if (error) reject(this.#timedOut(context, error));
        else resolve();
      });
    });
  }

  /** A change of who votes, at the leader. @throws EtcdError */
  reconfigure(request: MembershipChange, context: CallContext): Promise<ApplyResult> {
    return new Promise((resolve, reject) => {
      this.#node.proposeConfChange(request, this.#timeoutMs(context), ({ result, error }) => {
        const refused = error ?? result?.error;
        if (refused) reject(this.#timedOut(context, refused));
        else resolve(must(result, 'neither result nor error'));
      });
    });
  }

  /** The member's own deadline, or the client's when that is earlier. */
  #timeoutMs({ timeoutMs }: CallContext): number {
    const own = this.#ownTimeoutMs;
    return timeoutMs === null ? own : Math.max(0, Math.min(own, timeoutMs));
  }

  /** A client whose own deadline passed is told so in gRPC's words. */
  #timedOut({ timeoutMs }: CallContext, error: EtcdError): EtcdError {
    const late = error.message.startsWith('etcdserver: request timed out');
    const isClients = timeoutMs !== null && timeoutMs < this.#ownTimeoutMs;
    return late && isClients ? EtcdError.of('deadlineExceeded') : error;
  }
}
