import type { Prng } from '../lib/prng.ts';

/** The platform's cryptographic randomness. */
export function systemPrng(): Prng {
  const word = new Uint32Array(1);
  return { next: () => (crypto.getRandomValues(word)[0] ?? 0) / 2 ** 32 };
}

/**
 * Milliseconds that never go back within an instance and always go on: the platform's clock is wall
 * time, and a step back of it would stop every timer until it has caught up.
 */
export function steadyClock(): () => number {
  let latest = 0;
  let offset = 0;
  return () => {
    const now = Date.now();
    if (now + offset < latest) offset = latest - now;
    latest = now + offset;
    return latest;
  };
}

/** 16 hexadecimal digits that no other database draws. */
export function drawDatabaseId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
