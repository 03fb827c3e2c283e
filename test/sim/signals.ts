/** The process is killed at this very storage call or message. */
export class CrashSignal extends Error {
  override readonly name = 'CrashSignal';
}

/** The platform has started another instance of this member: this one may not touch its storage. */
export class SupersededSignal extends Error {
  override readonly name = 'SupersededSignal';
}

/** A sync that failed because the simulator wanted it to. */
export class InjectedSyncError extends Error {
  override readonly name = 'InjectedSyncError';
}

/** True for what the simulator throws itself: the instance ends, and nothing is wrong with it. */
export function isInjected(error: unknown): boolean {
  return (
    error instanceof CrashSignal ||
    error instanceof SupersededSignal ||
    error instanceof InjectedSyncError
  );
}
