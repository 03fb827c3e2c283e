import type { LogLevel } from './settings.ts';

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export type Log = (level: LogLevel, message: string) => void;

/** Lines on the platform's console, from a level on. Messages name no secrets and no values. */
export function logger(level: LogLevel): Log {
  return (messageLevel, message) => {
    if (RANK[messageLevel] >= RANK[level]) console[messageLevel](message);
  };
}
