import type { Command } from '../../api/gen/command_pb.ts';
import { limits } from '../../config.ts';
import { messageOf } from '../../lib/error.ts';
import type { StateMachine } from '../../state/machine.ts';
import type { Passwords } from './passwords.ts';

/** A proposal that found no majority is made again after so long. */
const RETRY_MS = 1_000;

export interface LeaderDutiesHost {
  readonly machine: () => StateMachine;
  readonly isLeading: () => boolean;
  readonly wallClockMs: () => number;
  readonly passwords: Passwords;
  /** ETCD_ROOT_PASSWORD; null: nobody is let in this way. */
  readonly rootPassword: string | null;
  /** Void if another leads by then. */
  readonly proposeAsLeader: (request: Command['request'], done: (ok: boolean) => void) => void;
  readonly setTimer: (callback: () => void, ms: number) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/**
 * What the leader alone does about authentication: ends tokens whose time is over, and opens the
 * way into a deployment that was given the password of its root user.
 */
export class LeaderDuties {
  readonly #host: LeaderDutiesHost;
  #sweepSet = false;
  #bootstrapping = false;

  constructor(host: LeaderDutiesHost) {
    this.#host = host;
  }

  /** Called when the member begins to lead, and when a token has been given out. */
  attend(): void {
    if (!this.#host.isLeading()) return;
    this.#bootstrap();
    this.#arm();
  }

  #bootstrap(): void {
    const { rootPassword, passwords, machine, log } = this.#host;
    if (rootPassword === null || this.#bootstrapping || machine().auth.everEnabled) return;
    this.#bootstrapping = true;
    passwords
      .hash(rootPassword)
      .then((rootHash) => {
        const value = { $typeName: 'edgetcd.AuthBootstrap', rootHash } as const;
        this.#host.proposeAsLeader({ case: 'authBootstrap', value }, (ok) => {
          this.#bootstrapping = false;
          if (ok) log('info', 'authentication is enabled: the user root has the password set');
          else this.#host.setTimer(() => this.attend(), RETRY_MS);
        });
      })
      .catch((error: unknown) => log('warn', `ETCD_ROOT_PASSWORD: ${messageOf(error)}`));
  }

  /** Runs while there are tokens: an idle cluster has no timer for them. */
  #arm(): void {
    if (this.#sweepSet || this.#host.machine().tokens.isEmpty) return;
    this.#sweepSet = true;
    this.#host.setTimer(() => {
      this.#sweepSet = false;
      if (!this.#host.isLeading()) return;
      if (this.#host.machine().tokens.hasExpired(this.#host.wallClockMs())) this.#expire();
      this.#arm();
    }, limits.authTokenSweepMs);
  }

  #expire(): void {
    const value = { $typeName: 'edgetcd.AuthTokensExpire' } as const;
    this.#host.proposeAsLeader({ case: 'authTokensExpire', value }, () => {});
  }
}
