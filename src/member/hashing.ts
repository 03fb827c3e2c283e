import { EtcdError } from '../api/error.ts';
import { crc32c } from '../lib/crc32c.ts';
import type { KvHash } from '../state/hash.ts';
import type { StateMachine } from '../state/machine.ts';

/** What long work on the state needs of its member. */
export interface SliceHost {
  /** The state; another one after a snapshot was installed. */
  machine(): StateMachine;
  /** Runs the work; null when the member has stopped, or stops because of it. */
  guard<T>(work: () => T): T | null;
  /** Lets everything else that waits go first. */
  pause(): Promise<void>;
}

interface Reader<T> {
  /** A slice of the work; null while more is left. */
  next(): T | null;
  close(): void;
}

/**
 * Works something off in slices, requests and turns in between. A snapshot that is installed
 * meanwhile takes the place of the state: then it begins anew. @throws EtcdError
 */
async function inSlices<T>(
  host: SliceHost,
  open: (machine: StateMachine) => Reader<T>,
): Promise<T> {
  for (;;) {
    const machine = host.machine();
    const reader = open(machine);
    try {
      while (host.machine() === machine) {
        const slice = host.guard(() => ({ result: reader.next() }));
        if (slice === null) throw EtcdError.of('stopped');
        if (slice.result !== null) return slice.result;
        await host.pause();
      }
    } finally {
      reader.close();
    }
  }
}

/** @param revision 0 for the newest. @throws EtcdError */
export function hashKeys(host: SliceHost, revision: number): Promise<KvHash> {
  return inSlices(host, (machine) => machine.openHash(revision));
}

/**
 * A checksum over all rows of all tables as they are now, in the form in which a snapshot carries
 * them: how rows are packed is part of it, so that members need not have the same.
 */
export function hashTables(host: SliceHost): Promise<{ readonly hash: number }> {
  return inSlices(host, (machine) => {
    // Flushes: what goes wrong in it ends the member.
    const snapshot = host.guard(() => machine.openSnapshot());
    if (snapshot === null) throw EtcdError.of('stopped');
    let hash = 0;
    return {
      next: () => {
        const chunk = snapshot.next();
        if (chunk === null) return { hash };
        hash = crc32c(chunk, hash);
        return null;
      },
      close: () => snapshot.close(),
    };
  });
}
