import { DurableObject } from 'cloudflare:workers';

/** As long as the answer to a put. */
const ANSWER = 'x'.repeat(114);

/** Does nothing of its own, or writes one row and answers when that is durable. */
export class EtcdMember extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS log (at INTEGER PRIMARY KEY, body TEXT)');
  }

  async call(body) {
    return body === '' ? '' : ANSWER;
  }

  async write(body) {
    this.ctx.storage.sql.exec('INSERT INTO log (body) VALUES (?)', body);
    await this.ctx.storage.sync();
    return ANSWER;
  }
}

const headers = { 'Content-Type': 'application/json' };

export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ready');
    const body = await request.text();
    if (env.BOUND === 'worker') return new Response(ANSWER, { headers });
    const member = env.MEMBER.get(env.MEMBER.idFromName('m'));
    const text = await (env.BOUND === 'object' ? member.call(body) : member.write(body));
    return new Response(text, { headers });
  },
};
