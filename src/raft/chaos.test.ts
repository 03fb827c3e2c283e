/**
 * Random interleavings on a small scale: loss, repetition, reordering, crashes, slow disks. The
 * simulator in test/sim goes further; this one runs in a second beside the code.
 */
import { expect, test } from 'vitest';
import { assert, InvariantError } from '../lib/assert.ts';
import { intBetween, type Prng, seededPrng } from '../lib/prng.ts';
import type { BugName } from './bugs.ts';
import type { Entry, Message } from './message.ts';
import { type TestMember, TestNetwork } from './testing.ts';

const EVENTS = 1_500;

interface Run {
  readonly net: TestNetwork;
  readonly prng: Prng;
  /** What was applied anywhere, by index: it may never differ (L3). */
  readonly committed: Map<number, string>;
  readonly leaders: Map<number, string>;
  readonly readFloor: Map<number, { member: TestMember; floor: number; raft: unknown }>;
  readonly quiet: Message[];
  nextRead: number;
  nextValue: number;
}

function startRun(seed: number, bugs: readonly BugName[] = []): Run {
  const prng = seededPrng(seed);
  const net = TestNetwork.ofVoters(intBetween(prng, 1, 5), {
    prng,
    bugs: new Set(bugs),
    inflightAppendsMax: intBetween(prng, 1, 4),
    appendBytesMax: intBetween(prng, 100, 400),
    cacheBytesMax: intBetween(prng, 200, 5_000),
    applyBytesMax: intBetween(prng, 100, 2_000),
    quiesceAfterMs: intBetween(prng, 0, 1) * 500,
  });
  for (const member of net.members.values()) member.autoPersist = false;
  const maps = { committed: new Map(), leaders: new Map(), readFloor: new Map() };
  return { net, prng, ...maps, quiet: [], nextRead: 1, nextValue: 1 };
}

function pick<T>(prng: Prng, items: readonly T[]): T {
  return items[intBetween(prng, 0, items.length - 1)] as T;
}

function describeEntry({ term, data }: Entry): string {
  return `${term}:${new TextDecoder().decode(data)}`;
}

/** The largest index any member has handed out: a read that begins now must not be older. */
function commitFloor(run: Run): number {
  return Math.max(0, ...run.committed.keys());
}

function check(run: Run): void {
  for (const member of run.net.members.values()) {
    const { role, term, id } = member.raft.status;
    if (role === 'leader') {
      assert((run.leaders.get(term) ?? id) === id, `E1: two leaders in term ${term}`);
      run.leaders.set(term, id);
    }
    for (const item of member.applied.splice(0)) {
      const text = describeEntry(item);
      assert((run.committed.get(item.index) ?? text) === text, `L3: index ${item.index} differs`);
      run.committed.set(item.index, text);
    }
    for (const [id, index] of member.reads) {
      const read = run.readFloor.get(id);
      const stale = read?.raft === member.raft && index < read.floor;
      assert(!stale, `R1: read ${id} at ${index}, floor ${read?.floor}`);
    }
    member.reads.clear();
  }
}

function perturb(run: Run): void {
  const { net, prng } = run;
  const member = pick(prng, [...net.members.values()]);
  const dice = prng.next();
  if (dice < 0.45) deliverOne(run);
  else if (dice < 0.7) member.confirm();
  else if (dice < 0.78) tick(run);
  else if (dice < 0.88) member.propose(`v${run.nextValue++}`);
  else if (dice < 0.94) read(run, member);
  else if (dice < 0.96) member.restart();
  else if (dice < 0.97) member.step({ type: 'campaign' });
  else if (dice < 0.975) member.step({ type: 'unreachable', peer: pick(prng, [...net.members.keys()]) });
  else if (dice < 0.98) member.step({ type: 'transferLeadership', to: pick(prng, [...net.members.keys()]) });
  else if (dice < 0.99) net.isolate(intBetween(prng, 1, net.members.size));
  else net.lose = () => false;
}

function deliverOne(run: Run): void {
  const { net, prng } = run;
  if (net.queue.length === 0) return;
  const at = Math.min(net.queue.length - 1, Math.floor(prng.next() ** 3 * net.queue.length));
  const [message] = net.queue.splice(at, 1) as [Message];
  const fate = prng.next();
  if (fate < 0.05) return;
  if (fate < 0.15) net.queue.push(message);
  net.queue.unshift(message);
  net.deliverNext();
}

function tick(run: Run): void {
  run.net.nowMs += intBetween(run.prng, 1, 150);
  for (const member of run.net.members.values()) {
    if (member.deadlineMs !== null && member.deadlineMs <= run.net.nowMs) member.step({ type: 'tick' });
  }
}

function read(run: Run, member: TestMember): void {
  const id = run.nextRead++;
  run.readFloor.set(id, { member, floor: commitFloor(run), raft: member.raft });
  member.step({ type: 'read', id });
}

function chaos(seed: number, bugs: readonly BugName[] = []): Run {
  const run = startRun(seed, bugs);
  for (let i = 0; i < EVENTS; i++) {
    perturb(run);
    check(run);
  }
  return run;
}

/** All faults end: one leader, equal logs, and a new write everywhere (V1, V2, V3). */
function converge(run: Run): void {
  const { net } = run;
  net.lose = () => false;
  for (const member of net.members.values()) {
    member.autoPersist = true;
    member.confirm();
  }
  net.advance(10_000);
  check(run);
  const leader = net.leader;
  assert(leader !== null, 'V1: no leader');
  leader.propose('last');
  net.advance(1_000);
  const last = leader.raft.status.lastIndex;
  for (const { raft } of net.members.values()) {
    assert(raft.status.applied === last, `V3: ${raft.status.id} stays behind`);
  }
  check(run);
}

test('safety holds in random interleavings, and the group converges when faults end', () => {
  const total = { committed: 0, terms: 0 };
  for (let seed = 1; seed <= Number(process.env['CHAOS_SEEDS'] ?? 60); seed++) {
    try {
      const run = chaos(seed);
      converge(run);
      total.committed += run.committed.size;
      total.terms += run.leaders.size;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  // The faults must leave room for progress, or nothing was tested.
  expect(total.committed).toBeGreaterThan(1_000);
  expect(total.terms).toBeGreaterThan(60);
});

function findsBug(bug: BugName, seeds: number): number | null {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      converge(chaos(seed, [bug]));
    } catch (error) {
      if (error instanceof InvariantError) return seed;
      throw error;
    }
  }
  return null;
}

test.runIf(process.env['CHAOS_BUGS'])('bugs', async () => {
  const { BUGS } = await import('./bugs.ts');
  for (const bug of Object.keys(BUGS) as BugName[]) console.log(bug, findsBug(bug, 300));
}, 600_000);
