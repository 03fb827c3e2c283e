import { must } from '../../src/lib/assert.ts';
import { encodedKey } from '../requests.ts';
import { type Finding, memoryFindings } from './finding.ts';
import { Client, inParallel } from './http.ts';
import { readMemory } from './memory.ts';
import type { Scale } from './scale.ts';
import { WatchStream, type WatchTally } from './watch_stream.ts';

/** Of the puts that are delivered to all watchers: small, for what is sent is theirs times many. */
const deliveredValueBytes = 32;
const deliveryPuts = 300;
const deliveryClients = 8;
const patienceMs = 120_000;

/** Counts, and wakes who waits for a count. */
class Tally implements WatchTally {
  created = 0;
  events = 0;
  ended = 0;
  #wake: (() => void) | null = null;

  received(): void {
    this.#wake?.();
  }

  /** @throws when it takes too long, or when a stream ends */
  async until(condition: () => boolean, what: string): Promise<void> {
    const timer = AbortSignal.timeout(patienceMs);
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (this.ended > 0) reject(new Error(`${what}: ${this.ended} streams ended`));
        else if (condition()) resolve();
      };
      this.#wake = look;
      timer.onabort = () => {
        const { created, events } = this;
        reject(new Error(`${what}: not in time; ${created} created, ${events} events`));
      };
      look();
    });
    timer.onabort = null;
    this.#wake = null;
  }
}

/** Watches that nothing happens to, on every member: what they cost in memory. */
export async function measureIdleWatchers(scale: Scale): Promise<Finding[]> {
  const { system, signal, watchers, watchesPerStream } = scale;
  const streamsOfMember = Math.ceil(watchers / watchesPerStream);
  const before = await readMemory(system, signal);
  const tally = new Tally();
  const streams: WatchStream[] = [];
  try {
    const startMs = performance.now();
    for (const { url } of system.members) {
      for (let i = 0; i < streamsOfMember; i++) {
        const first = i * watchesPerStream;
        const keys = Array.from({ length: watchesPerStream }, (_, j) => encodedKey(first + j));
        streams.push(new WatchStream(url, keys, tally));
      }
      const wanted = streams.length * watchesPerStream;
      await tally.until(() => tally.created >= wanted, `${wanted} watchers`);
    }
    const seconds = (performance.now() - startMs) / 1_000;
    const after = await readMemory(system, signal);
    const count = streamsOfMember * watchesPerStream;
    return [
      {
        what: `${count} idle watchers per member, ${streamsOfMember} streams`,
        value: `${Math.round((count * system.members.length) / seconds)} created/s`,
      },
      ...memoryFindings(`${count} idle watchers`, before, after),
    ];
  } finally {
    for (const stream of streams) stream.close();
  }
}

/** One key, many watchers of it on one member: events delivered in a second. */
export async function measureDelivery(scale: Scale, memberAt: number): Promise<Finding[]> {
  const { system, signal, deliveryWatchers } = scale;
  const watched = must(system.members[memberAt], 'a member');
  const client = new Client(must(system.members[0], 'a leader').url, deliveryClients);
  const tally = new Tally();
  const streams: WatchStream[] = [];
  const key = encodedKey(1);
  const value = Buffer.alloc(deliveredValueBytes, 'x').toString('base64');
  try {
    for (let i = 0; i < deliveryWatchers; i++) {
      streams.push(new WatchStream(watched.url, [key], tally));
    }
    await tally.until(() => tally.created >= deliveryWatchers, `${deliveryWatchers} watchers`);
    const wanted = deliveryPuts * deliveryWatchers;
    const startMs = performance.now();
    const puts = inParallel(deliveryPuts, deliveryClients, signal, () =>
      client.call('/v3/kv/put', { key, value }),
    );
    await Promise.all([puts, tally.until(() => tally.events >= wanted, `${wanted} events`)]);
    const seconds = (performance.now() - startMs) / 1_000;
    const role = memberAt === 0 ? 'the leader' : 'a follower';
    return [
      {
        what: `${deliveryWatchers} watchers of one key on ${role}, ${deliveryPuts} puts`,
        value: `${Math.round(wanted / seconds)} events/s delivered (${seconds.toFixed(2)} s)`,
      },
    ];
  } finally {
    for (const stream of streams) stream.close();
    client.close();
  }
}
