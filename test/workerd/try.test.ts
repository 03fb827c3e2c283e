import { env, exports } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { expect, it } from 'vitest';
it('x', async () => {
  const stub = env.MEMBER.getByName('storage/a');
  const out = await runInDurableObject(stub, (_o, ctx) => {
    const sql = ctx.storage.sql;
    sql.exec('CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID');
    const c = sql.exec('INSERT INTO t VALUES (?, ?)', new Uint8Array(0), new Uint8Array(0));
    [...c.raw()];
    return [c.rowsWritten, sql.exec('SELECT * FROM t WHERE k >= ?', new Uint8Array(0)).toArray(), ctx.id.name, typeof Buffer];
  });
  console.log(out);
  const r = await exports.default.fetch('http://x/version');
  console.log(r.status, await r.text());
  expect(1).toBe(1);
});
