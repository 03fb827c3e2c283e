import type { CallContext } from '../../api/call.ts';
import { ERRORS, EtcdError } from '../../api/error.ts';
import type { AuthLogin, Command } from '../../api/gen/command_pb.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import type { User } from '../../state/auth/records.ts';
import type { StateMachine } from '../../state/machine.ts';
import type { ApplyResult } from '../../state/result.ts';
import { Access } from './access.ts';
import { LeaderDuties } from './leader_duties.ts';
import { Passwords } from './passwords.ts';
import type { AuthSettings } from './settings.ts';
import type { SignedTokens } from './signed_tokens.ts';

/** A password that is changed while it is checked is checked again, so often. */
const ATTEMPTS_MAX = 3;

export interface AuthenticationHost {
  readonly machine: () => StateMachine;
  readonly isLeading: () => boolean;
  readonly wallClockMs: () => number;
  readonly setTimer: (callback: () => void, ms: number) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
  readonly linearizable: (context: CallContext) => Promise<void>;
  /** Proposes what the member decides by itself. @throws EtcdError */
  readonly proposeOwn: (request: Command['request'], context: CallContext) => Promise<ApplyResult>;
  /** The same, void if another leads by then. */
  readonly proposeAsLeader: (request: Command['request'], done: (ok: boolean) => void) => void;
}

/** Nobody's deadline but the server's. */
const OWN_TIME: CallContext = { token: null, timeoutMs: null, requireLeader: false };

/** Passwords, tokens, and who calls: the part of a member that users log in at. */
export class Authentication {
  readonly access: Access;
  readonly passwords: Passwords;
  readonly #settings: AuthSettings;
  readonly #host: AuthenticationHost;
  readonly #signed: SignedTokens | null;
  readonly #duties: LeaderDuties;

  /**
   * @param signed null: tokens are kept in the state
   * @param passwords others only in tests, which cannot wait for them
   */
  constructor(
    settings: AuthSettings,
    signed: SignedTokens | null,
    host: AuthenticationHost,
    passwords = new Passwords(),
  ) {
    this.passwords = passwords;
    this.#settings = settings;
    this.#host = host;
    this.#signed = signed;
    const { ttlMs } = settings.tokens;
    this.access = new Access({
      ...host,
      open: settings.open,
      ttlMs,
      signed,
      linearizable: () => host.linearizable(OWN_TIME),
      renew: (digest, done) => this.#renew(digest, done),
    });
    this.#duties = new LeaderDuties({ ...host, passwords, rootPassword: settings.rootPassword });
  }

  /** The member leads now. */
  promoted(): void {
    this.#duties.attend();
  }

  applied({ command, error }: ApplyResult): void {
    if (command.request.case === 'authLogin' && error === null) this.#duties.attend();
  }

  /** A token for who knows the user's password. @throws EtcdError */
  async logIn(name: string, password: string, context: CallContext): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#logIn(name, password, context);
      } catch (error) {
        if (!isOldRevision(error) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #logIn(name: string, password: string, context: CallContext): Promise<string> {
    // The user may have been made at another member, a moment ago.
    await this.#host.linearizable(context);
    const { auth } = this.#host.machine();
    if (!auth.enabled) throw EtcdError.of('authNotEnabled');
    const { revision } = auth;
    const user = auth.user(name);
    if (user?.noPassword) throw EtcdError.of('noPasswordUser');
    const isRight = await this.passwords.matches(password, user?.passwordHash ?? null);
    if (user === null || !isRight) throw EtcdError.of('authFailed');
    const upgradedHash = await this.#upgraded(user, password);
    if (this.#signed === null) return this.#issue(user, upgradedHash, context);
    if (upgradedHash !== '') await this.#record(user, { upgradedHash }, context);
    return this.#signed.sign(name, revision, this.#host.wallClockMs());
  }

  async #upgraded(user: User, password: string): Promise<string> {
    return this.passwords.isOutdated(user.passwordHash) ? this.passwords.hash(password) : '';
  }

  async #issue(user: User, upgradedHash: string, context: CallContext): Promise<string> {
    const letters = this.access.simple.draw();
    const tokenDigest = await this.access.simple.digest(letters);
    const { index } = await this.#record(user, { upgradedHash, tokenDigest }, context);
    return `${letters}.${index}`;
  }

  #record(
    { name, passwordRevision }: User,
    fields: { readonly upgradedHash: string; readonly tokenDigest?: Uint8Array },
    context: CallContext,
  ): Promise<ApplyResult> {
    const value: AuthLogin = {
      $typeName: 'edgetcd.AuthLogin',
      name,
      passwordRevision: BigInt(passwordRevision),
      tokenDigest: EMPTY_BYTES,
      ttlMs: BigInt(this.#settings.tokens.ttlMs),
      ...fields,
    };
    return this.#host.proposeOwn({ case: 'authLogin', value }, context);
  }

  #renew(tokenDigest: Uint8Array, done: () => void): void {
    const ttlMs = BigInt(this.#settings.tokens.ttlMs);
    const value = { $typeName: 'edgetcd.AuthTokenRenew', tokenDigest, ttlMs } as const;
    this.#host.proposeOwn({ case: 'authTokenRenew', value }, OWN_TIME).then(done, done);
  }
}

/** What was found out about users and roles is out of date: finding it out again may help. */
export function isOldRevision(error: unknown): boolean {
  return error instanceof EtcdError && error.message === ERRORS.authOldRevision[1];
}
