import { join } from 'node:path';
import { Miniflare } from 'miniflare';
import { compatibilityDate, databaseOptions } from '../../src/local/workerd.ts';

/** In the place of a member, in a database that nobody has open: runs what it is told. */
const SCRIPT = `
import { DurableObject } from 'cloudflare:workers';
export class EtcdMember extends DurableObject {
  flip(key) {
    const { sql } = this.ctx.storage;
    const tables = "SELECT name FROM sqlite_master WHERE name LIKE 'state!_kv!_%' ESCAPE '!'";
    const { name } = sql.exec(tables).one();
    const { v } = sql.exec('SELECT v FROM ' + name + ' WHERE k = ?', key).one();
    const bytes = new Uint8Array(v);
    bytes[bytes.length >> 1] ^= 1;
    sql.exec('UPDATE ' + name + ' SET v = ? WHERE k = ?', bytes, key);
    return bytes.length;
  }
  become(version) {
    const { sql } = this.ctx.storage;
    sql.exec("UPDATE meta SET value = ? WHERE name = 'schemaVersion'", version);
  }
}
export default { fetch: () => new Response() };
`;

interface Damager {
  flip(key: Uint8Array): Promise<number>;
  become(version: number): Promise<void>;
}

/** Flips a bit in the middle of the row of a key, of one member of a cluster that is stopped. */
export async function damageKey(dataDir: string, member: string, key: string): Promise<void> {
  await inDatabase(dataDir, member, (damager) => damager.flip(new TextEncoder().encode(key)));
}

/** As if another release had written the database. */
export async function setSchema(dataDir: string, member: string, version: number): Promise<void> {
  await inDatabase(dataDir, member, (damager) => damager.become(version));
}

async function inDatabase(
  dataDir: string,
  member: string,
  work: (damager: Damager) => Promise<unknown>,
): Promise<void> {
  const miniflare = new Miniflare({
    ...databaseOptions(join(dataDir, member)),
    modules: true,
    script: SCRIPT,
    compatibilityDate,
    cf: false,
  });
  try {
    const namespace = await miniflare.getDurableObjectNamespace('MEMBER');
    await work(namespace.get(namespace.idFromName(`edgetcd/${member}`)) as unknown as Damager);
  } finally {
    await miniflare.dispose();
  }
}
