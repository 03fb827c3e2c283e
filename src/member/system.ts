import type { Prng } from '../lib/prng.ts';

/** The platform's cryptographic randomness. */
export function systemPrng(): Prng {
  const word = new Uint32Array(1);
  return { next: () => (crypto.getRandomValues(word)[0] ?? 0) / 2 ** 32 };
}

/** Milliseconds that never go back within an instance: the platform's clock is wall time. */
export function steadyClock(): () => number {
  let latest = 0;
  return () => {
    latest = Math.max(latest, Date.now());
    return latest;
  };
}

/** 16 hexadecimal digits that no other database draws. */
export function drawDatabaseId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
