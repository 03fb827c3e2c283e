import { defaults } from '../../config.ts';
import type { VariableReader } from '../variables.ts';
import { type TokenSettings, tokenSettings } from './token_settings.ts';

/** The variables that are about who is let in. */
export interface AuthEnv {
  readonly ETCD_AUTH_TOKEN?: string;
  readonly ETCD_AUTH_TOKEN_TTL?: string;
  /** A secret. */
  readonly ETCD_ROOT_PASSWORD?: string;
  readonly ALLOW_NONE_AUTHENTICATION?: string;
}

export interface AuthSettings {
  readonly tokens: TokenSettings;
  /** null: authentication is enabled by hand, or not at all. */
  readonly rootPassword: string | null;
  /** Whether clients are served while authentication is off. */
  readonly open: boolean;
}

/**
 * @param variables all of them: keys are in variables that the operator names
 * @throws SettingsError
 */
export function authSettings(
  read: VariableReader<keyof AuthEnv>,
  variables: { readonly [name: string]: unknown },
): AuthSettings {
  const ttlSeconds = read.number('ETCD_AUTH_TOKEN_TTL', defaults.authTokenTtlSeconds, 1);
  return {
    tokens: tokenSettings(read.text('ETCD_AUTH_TOKEN') ?? '', ttlSeconds, (name) => {
      const value = variables[name];
      return typeof value === 'string' ? value : undefined;
    }),
    rootPassword: read.text('ETCD_ROOT_PASSWORD'),
    open: read.text('ALLOW_NONE_AUTHENTICATION') === 'yes',
  };
}
