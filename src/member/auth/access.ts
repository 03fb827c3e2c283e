import type { CallContext, Credential } from '../../api/call.ts';
import { type Caller, NOBODY } from '../../api/caller.ts';
import { Code, EtcdError } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { toHex } from '../../lib/bytes.ts';
import { Cache } from '../../state/cache.ts';
import type { StateMachine } from '../../state/machine.ts';
import { type MethodRule, methodRule } from './method_rules.ts';
import type { SignedTokens } from './signed_tokens.ts';
import { SimpleTokens } from './simple_tokens.ts';

/** A name that another member vouches for is looked at once, and at once. */
const NEVER_MS = Number.POSITIVE_INFINITY;

export interface AccessHost {
  readonly machine: () => StateMachine;
  /** Milliseconds since 1970: what the times of tokens are counted in. */
  readonly wallClockMs: () => number;
  /** Whether everybody is served while authentication is off. */
  readonly open: boolean;
  /** Of simple tokens. */
  readonly ttlMs: number;
  /** null: tokens are simple ones. */
  readonly signed: SignedTokens | null;
  /** On return the local state contains every write completed before the call. */
  readonly linearizable: () => Promise<void>;
  /** Proposes that a token lives on; calls back when that is done or has failed. */
  readonly renew: (digest: Uint8Array, done: () => void) => void;
}

/**
 * Who calls. A token becomes a credential once, when a call comes in; a credential becomes a caller
 * whenever it counts, by the state of that moment.
 */
export class Access {
  readonly simple = new SimpleTokens();
  readonly #host: AccessHost;
  /** Signatures that have been checked. */
  readonly #verified = new Cache<Credential>(limits.authTokenCacheMax, NEVER_MS);
  readonly #renewing = new Set<string>();

  constructor(host: AccessHost) {
    this.#host = host;
  }

  /**
   * Lets a call in, with what its token stands for. A promise only where something has to be worked
   * out: with authentication off, this is one test. @throws EtcdError, at once or by the promise
   */
  admit(service: string, name: string, context: CallContext): CallContext | Promise<CallContext> {
    if (!this.#machine.auth.enabled) {
      if (!this.#host.open) throw closed();
      return context;
    }
    const rule = methodRule(service, name);
    if (rule === 'anyone') return context;
    const { token } = context;
    if (token === null) return this.#checked(rule, context);
    if (token === '' || token.length > limits.authTokenCharsMax) {
      return this.#checked(rule, refusing(context));
    }
    const known = this.#knownCredential(token);
    if (known !== null) return this.#checked(rule, { ...context, credential: known });
    return this.#findOut(token).then((credential) =>
      this.#checked(rule, { ...context, credential }),
    );
  }

  /** The rule of a method, for a call that was let in by another member. @throws EtcdError */
  check(service: string, name: string, context: CallContext): void {
    if (this.#machine.auth.enabled) this.#checked(methodRule(service, name), context);
  }

  /** The caller as of now. @throws EtcdError when the token is good for nothing, or not any more */
  caller({ token, credential }: CallContext): Caller {
    const { auth } = this.#machine;
    if (!auth.enabled) return NOBODY;
    if (credential === undefined) {
      if (token === null) return NOBODY;
      // Nobody asked for the token when the call came in: authentication has just been enabled.
      throw EtcdError.of('authOldRevision');
    }
    switch (credential.kind) {
      case 'refused':
        throw credential.error;
      case 'vouched':
        if (credential.expiresMs <= this.#host.wallClockMs()) break;
        return credential.caller;
      case 'kept': {
        const username = this.#holderOf(credential.digest, credential.index);
        if (username === null) break;
        return { username, authRevision: BigInt(auth.revision), internal: false };
      }
    }
    throw EtcdError.of('invalidAuthToken');
  }

  /** Whether another look at the credential could find it current where it was out of date. */
  canRefresh({ credential }: CallContext): boolean {
    return credential?.kind === 'kept';
  }

  /** Another member has found out who calls. */
  vouched(context: CallContext, username: string, authRevision: number): CallContext {
    const caller = { username, authRevision: BigInt(authRevision), internal: false };
    return { ...context, credential: { kind: 'vouched', caller, expiresMs: NEVER_MS } };
  }

  get #machine(): StateMachine {
    return this.#host.machine();
  }

  #checked(rule: MethodRule, context: CallContext): CallContext {
    if (rule === 'later' || rule === 'anyone') return context;
    const { authorizer } = this.#machine;
    const caller = this.caller(context);
    if (rule === 'user') authorizer.checkUser(caller);
    else if (rule === 'admin') authorizer.checkAdmin(caller);
    else checkMaintenance(() => authorizer.checkAdmin(caller));
    return context;
  }

  #knownCredential(token: string): Credential | null {
    if (this.#host.signed !== null) return this.#verified.get(token) ?? null;
    const name = this.simple.known(token);
    return name === undefined ? null : { kind: 'kept', ...name };
  }

  async #findOut(token: string): Promise<Credential> {
    const { signed } = this.#host;
    if (signed !== null) {
      const claims = await signed.verify(token, this.#host.wallClockMs());
      if (claims === null) return REFUSED;
      const { username, authRevision, expiresMs } = claims;
      // Given out by a member that knew more of users than this one does yet.
      const isAhead = authRevision > BigInt(this.#machine.auth.revision);
      if (isAhead) await this.#host.linearizable();
      const caller = { username, authRevision, internal: false };
      const credential: Credential = { kind: 'vouched', caller, expiresMs };
      this.#verified.set(token, credential, 0);
      return credential;
    }
    const name = await this.simple.nameOf(token);
    if (name === null) return REFUSED;
    // It says in which entry it was given out; another member may have answered with it before this
    // one has heard of that entry.
    if (name.index > this.#machine.appliedIndex) await this.#host.linearizable();
    if (this.#machine.tokens.get(name.digest) === null) return REFUSED;
    this.simple.remember(token, name);
    return { kind: 'kept', ...name };
  }

  #holderOf(digest: Uint8Array, index: number): string | null {
    const token = this.#machine.tokens.get(digest);
    const nowMs = this.#host.wallClockMs();
    if (token === null || token.index !== index || token.expiresMs < nowMs) return null;
    if (token.expiresMs - nowMs < this.#host.ttlMs / 2) this.#renew(digest);
    return token.username;
  }

  /** Once for all that use it meanwhile: tokens slide in steps of half their life. */
  #renew(digest: Uint8Array): void {
    const name = toHex(digest);
    if (this.#renewing.has(name)) return;
    this.#renewing.add(name);
    this.#host.renew(digest, () => this.#renewing.delete(name));
  }
}

const REFUSED: Credential = { kind: 'refused', error: EtcdError.of('invalidAuthToken') };

function refusing(context: CallContext): CallContext {
  return { ...context, credential: REFUSED };
}

/** Defragment, hash and snapshot are refused in the words of another layer of etcd. */
function checkMaintenance(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    if (error.code === Code.invalidArgument) throw EtcdError.of('maintenanceUserEmpty');
    if (error.code === Code.permissionDenied) throw EtcdError.of('maintenancePermissionDenied');
    throw error;
  }
}

/** A deployment on the public internet is closed until its operator decides. */
function closed(): EtcdError {
  return EtcdError.of('closed');
}
