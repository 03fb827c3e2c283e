/** The deployment's own configuration is wrong: its operator is told, in so many words. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
