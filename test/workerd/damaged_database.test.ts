import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { blobOf } from '../../src/storage/sql.ts';
import { get, post, put, readValue, until, untilWritable } from './client.ts';

beforeEach(async () => {
  for (const member of ['m1', 'm2', 'm3']) await untilWritable(member);
});

/** Changes the database of m3 behind its back, and starts all members again. */
async function spoil(work: (sql: SqlStorage) => void): Promise<void> {
  const stub = env.MEMBER.getByName('edgetcd/m3');
  await runInDurableObject(stub, async (_, { storage }) => {
    work(storage.sql);
    await storage.sync();
  });
  await abortAllDurableObjects();
}

/** m3 says what is wrong instead of answering; the others serve what was written before. */
async function expectRefused(words: RegExp): Promise<void> {
  for (const [path, body] of [
    ['/v3/kv/range', { key: 'YQ==', serializable: true }],
    ['/v3/kv/put', { key: 'YQ==' }],
    ['/v3/maintenance/status', {}],
  ] as const) {
    const { status, json } = await until(
      () => post(path, body, 'm3'),
      ({ text }) => words.test(text),
    );
    expect([status, json['code']]).toEqual([503, 14]);
  }
  const health = await get('/health', { headers: { 'x-etcd-endpoint': 'm3' } });
  expect(health.status).toBe(503);
  expect(health.text).toMatch(words);
  for (const member of ['m1', 'm2']) {
    await untilWritable(member);
    expect(await readValue('kept', member)).toBe('yes');
  }
}

describe('a member whose database', () => {
  it('is of another schema version does not start, until its release does', async () => {
    await put('kept', 'yes', 'm3');
    await spoil((sql) => sql.exec("UPDATE meta SET value = 1 WHERE name = 'schemaVersion'"));
    await expectRefused(/written by an earlier release .schema version 1, this one knows 2.: go/);
    await spoil((sql) => sql.exec("UPDATE meta SET value = 2 WHERE name = 'schemaVersion'"));
    await untilWritable('m3');
    expect(await readValue('kept', 'm3')).toBe('yes');
  });

  it('has a damaged row in its log does not speak from it', async () => {
    await put('kept', 'yes', 'm3');
    await spoil((sql) => {
      const last = sql.exec('SELECT first, body FROM log_1 ORDER BY first DESC LIMIT 1').one();
      const body = blobOf(last['body'] as ArrayBuffer);
      body.set([(body[3] ?? 0) ^ 1], 3);
      sql.exec('UPDATE log_1 SET body = ? WHERE first = ?', body, Number(last['first']));
    });
    await expectRefused(/log row \d+ is damaged/);
  });
});
