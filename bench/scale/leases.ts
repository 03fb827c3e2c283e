import { setTimeout as sleep } from 'node:timers/promises';
import { assert, must } from '../../src/lib/assert.ts';
import { type Finding, memoryFindings } from './finding.ts';
import { Client, inParallel } from './http.ts';
import { readMemory } from './memory.ts';
import type { Scale } from './scale.ts';

const connections = 64;
/** Long enough to be there until the end. */
const longTtlSeconds = 36_000;
/** Leases among the many whose expiry is timed, and what they are granted, in turn. */
const timedLeases = 200;
const timedTtlSeconds = [4, 5, 6, 7] as const;
const pollMs = 20;
const latestMs = 30_000;

/** Many leases: how fast they are granted, what they cost, and whether others still end in time. */
export async function measureLeases(scale: Scale): Promise<Finding[]> {
  const { system, signal, leases } = scale;
  const client = new Client(must(system.members[0], 'a leader').url, connections);
  try {
    const before = await readMemory(system, signal);
    const seconds = await inParallel(leases, connections, signal, () =>
      client.call('/v3/lease/grant', { TTL: longTtlSeconds }),
    );
    const after = await readMemory(system, signal);
    const lateMs = await measureExpiry(client, signal);
    const last = lateMs.length - 1;
    const at = (part: number) => Math.round(must(lateMs[Math.round(last * part)], 'a lateness'));
    return [
      { what: `${leases} leases granted`, value: `${Math.round(leases / seconds)}/s` },
      ...memoryFindings(`${leases} leases`, before, after),
      {
        what: `${timedLeases} leases expiring among them, each with a key`,
        value: `gone ${at(0)} to ${at(1)} ms after request and TTL, median ${at(0.5)} ms`,
      },
    ];
  } finally {
    client.close();
  }
}

/** @returns how long after their time keys were gone, in milliseconds, sorted */
async function measureExpiry(client: Client, signal: AbortSignal): Promise<number[]> {
  const prefix = 'expiring/';
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const due = new Map<string, number>();
  await inParallel(timedLeases, connections, signal, async (i) => {
    const ttl = must(timedTtlSeconds[i % timedTtlSeconds.length], 'a TTL');
    // The time of a lease begins after it was asked for: whatever ends before it, ends early.
    const askedMs = performance.now();
    const { ID } = await client.call('/v3/lease/grant', { TTL: ttl });
    const key = encode(`${prefix}${i}`);
    await client.call('/v3/kv/put', { key, lease: ID });
    due.set(key, askedMs + ttl * 1_000);
  });
  const range = { key: encode(prefix), range_end: encode('expiring0'), keys_only: true };
  const lateMs: number[] = [];
  while (due.size > 0) {
    const { kvs = [] } = (await client.call('/v3/kv/range', range)) as { kvs?: { key: string }[] };
    const nowMs = performance.now();
    const there = new Set(kvs.map(({ key }) => key));
    for (const [key, dueMs] of [...due]) {
      assert(nowMs - dueMs < latestMs, `a lease of ${nameOf(key)} does not expire`);
      if (there.has(key)) continue;
      assert(nowMs >= dueMs, `the lease of ${nameOf(key)} has ended early`);
      due.delete(key);
      lateMs.push(nowMs - dueMs);
    }
    await sleep(pollMs, undefined, { signal });
  }
  return lateMs.sort((a, b) => a - b);
}

function nameOf(key: string): string {
  return Buffer.from(key, 'base64').toString();
}
