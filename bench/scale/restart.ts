import { setTimeout as sleep } from 'node:timers/promises';
import { assert, must } from '../../src/lib/assert.ts';
import { sendSignal } from '../../src/local/process.ts';
import { encodedKey } from '../requests.ts';
import type { BenchMember } from '../system.ts';
import type { Finding } from './finding.ts';
import { Client } from './http.ts';
import { ageMs } from './memory.ts';
import type { Scale } from './scale.ts';

const patienceMs = 60_000;
const pollMs = 5;

/** Kills a follower and the leader and times how long their next processes take to serve. */
export async function measureRestart({ system, signal, processOf }: Scale): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [role, at] of [['a follower', 1] as const, ['the leader', 0] as const]) {
    const member = must(system.members[at], 'a member');
    const ms = await restart(member, processOf, signal);
    findings.push({
      what: `restart of ${role} (${member.name}), kill -9`,
      value: `a linearizable get ${Math.round(ms)} ms after its process began`,
    });
  }
  return findings;
}

async function restart(
  { name, url }: BenchMember,
  processOf: (name: string) => number | null,
  signal: AbortSignal,
): Promise<number> {
  const old = must(processOf(name), 'it runs');
  sendSignal(old, 'SIGKILL');
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    assert(performance.now() < deadlineMs, `${name} does not come back`);
    const pid = processOf(name);
    if (pid !== null && pid !== old && (await serves(url))) return ageMs(pid);
    await sleep(pollMs);
  }
}

async function serves(url: string): Promise<boolean> {
  const client = new Client(url, 1);
  try {
    const { status } = await client.post('/v3/kv/range', `{"key":"${encodedKey(1)}"}`);
    return status === 200;
  } catch {
    return false;
  } finally {
    client.close();
  }
}
