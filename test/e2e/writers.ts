import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { CallFailed, put, scan } from './client.ts';

/** A put that was answered, and how often it was sent until then. */
interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  /** More than one: earlier attempts may have happened too. */
  readonly attempts: number;
}

/** The history of concurrent clients, to be held against what the cluster has in the end. */
export interface WriteHistory {
  readonly prefix: string;
  /** Per client, in the order in which it got the answers. */
  readonly clients: readonly (readonly Acknowledged[])[];
  /** Puts whose fate the clients do not know. */
  readonly unknown: number;
}

export interface WriterOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly clients: number;
  readonly puts: number;
  /** Goes on beyond `puts` until this says enough: a fault must not come after the last write. */
  readonly enough?: () => boolean;
}

/**
 * Each client puts keys of its own, one after another, and moves to another member at a failure.
 */
export async function runWriters(options: WriterOptions): Promise<WriteHistory> {
  let issued = 0;
  let unknown = 0;
  const enough = options.enough ?? (() => true);
  const client = async (id: number): Promise<Acknowledged[]> => {
    const answers: Acknowledged[] = [];
    let endpoint = id;
    while (issued < options.puts || !enough()) {
      const n = issued++;
      const [key, value] = [`${options.prefix}${n}`, `value ${n} of client ${id}`];
      for (let attempts = 1; ; attempts++) {
        const url = must(options.endpoints[endpoint % options.endpoints.length], 'endpoints');
        try {
          answers.push({ key, value, revision: await put(url, key, value), attempts });
          break;
        } catch (error) {
          if (!(error instanceof CallFailed)) throw error;
          unknown++;
          endpoint++;
          await sleep(50);
        }
      }
      await sleep(5);
    }
    return answers;
  };
  const clients = await Promise.all(Array.from({ length: options.clients }, (_, i) => client(i)));
  return { prefix: options.prefix, clients, unknown };
}

/**
 * Holds the history against the key space, read at one member.
 * @param before the revision before the first put
 * @returns the revision of the reading
 */
export async function checkHistory(
  url: string,
  history: WriteHistory,
  before: number,
): Promise<number> {
  const { revision, kvs } = await scan(url, history.prefix);
  const byKey = new Map(kvs.map((kv) => [kv.key, kv]));
  const acknowledged = history.clients.flat();

  const lost = acknowledged.filter(({ key, value }) => byKey.get(key)?.value !== value);
  expect(lost).toEqual([]);
  // A put that was sent once has exactly its revision; one that was sent again, at least that.
  const misplaced = acknowledged.filter(({ key, revision: answered, attempts }) => {
    const kv = must(byKey.get(key), 'not lost');
    return attempts === 1
      ? kv.modRevision !== answered || kv.version !== 1
      : kv.modRevision < answered || kv.version > attempts;
  });
  expect(misplaced).toEqual([]);
  expect(byKey.size).toBe(acknowledged.length);

  for (const answers of history.clients) {
    const revisions = answers.map((answer) => answer.revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
  }
  expect(new Set(acknowledged.map((answer) => answer.revision)).size).toBe(acknowledged.length);

  // Every revision is accounted for: a key's version counts its puts, and nobody else wrote.
  const applied = kvs.reduce((sum, kv) => sum + kv.version, 0);
  expect(applied).toBe(revision - before);
  expect(applied - acknowledged.length).toBeLessThanOrEqual(history.unknown);
  return revision;
}
