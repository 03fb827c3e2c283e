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
}
export default { fetch: () => new Response() };
`;

interface Damager {
  flip(key: Uint8Array): Promise<number>;
}

/** Flips a bit in the middle of the row of a key, of one member of a cluster that is stopped. */
export async function damageKey(dataDir: string, member: string, key: string): Promise<void> {
  const miniflare = new Miniflare({
    ...databaseOptions(join(dataDir, member)),
    modules: true,
    script: SCRIPT,
    compatibilityDate,
    cf: false,
  });
  try {
    const namespace = await miniflare.getDurableObjectNamespace('MEMBER');
    const object = namespace.get(namespace.idFromName(`edgetcd/${member}`)) as unknown as Damager;
    await object.flip(new TextEncoder().encode(key));
  } finally {
    await miniflare.dispose();
  }
}
