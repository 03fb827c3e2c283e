import { DurableObject } from 'cloudflare:workers';

/** As long as the answer to a put, and as what members tell each other of one. */
const ANSWER = 'x'.repeat(114);
const FRAME_BYTES = 440;
const BODY = 'x'.repeat(330);
const ACKNOWLEDGEMENT_BYTES = 110;

/**
 * Does nothing of its own; or writes one row and answers when that is durable; or asks another
 * process; or keeps a row in three processes, two of which have to have it: the frames and commits
 * of a put and nothing else.
 */
export class EtcdMember extends DurableObject {
  #peers;
  #opened = null;
  #waiting = new Map();
  #lastId = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.#peers = JSON.parse(env.PEERS);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS log (at INTEGER PRIMARY KEY, body TEXT)');
  }

  async call(body) {
    return body === '' ? '' : ANSWER;
  }

  async write(body) {
    this.#insert(body);
    await this.ctx.storage.sync();
    return ANSWER;
  }

  /** The first of three leads: it asks any other, the others ask it. */
  async ask(body) {
    if (this.#replicates && this.#leads) await this.#replicate(body);
    else await this.#tell((await this.#links).slice(0, 1));
    return ANSWER;
  }

  /** Another process's socket. */
  async fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    server.binaryType = 'arraybuffer';
    server.accept();
    server.addEventListener('message', ({ data }) => this.#serve(server, data));
    return new Response(null, { status: 101, webSocket: client });
  }

  get #replicates() {
    return this.env.BOUND === 'replicated';
  }

  /** The others know nobody but it. */
  get #leads() {
    return this.#peers.length > 1;
  }

  get #links() {
    this.#opened ??= Promise.all(this.#peers.map((url) => this.#connect(url)));
    return this.#opened;
  }

  async #serve(socket, data) {
    if (this.#replicates && this.#leads) await this.#replicate(BODY);
    // The platform holds the answer until the row is durable.
    else if (this.#replicates) this.#insert(BODY);
    socket.send(frame(new DataView(data).getUint32(0), ACKNOWLEDGEMENT_BYTES));
  }

  /** The others write while this one does. One of them and this one are a majority. */
  async #replicate(body) {
    const told = this.#tell(await this.#links);
    this.#insert(body);
    await told;
  }

  /** Resolves when one of them has answered. */
  #tell(links) {
    const id = ++this.#lastId;
    const message = frame(id, FRAME_BYTES);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      for (const link of links) link.send(message);
    });
  }

  async #connect(url) {
    const { webSocket } = await fetch(url, { headers: { upgrade: 'websocket' } });
    webSocket.binaryType = 'arraybuffer';
    webSocket.accept();
    webSocket.addEventListener('message', ({ data }) => {
      const id = new DataView(data).getUint32(0);
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    });
    return webSocket;
  }

  #insert(body) {
    this.ctx.storage.sql.exec('INSERT INTO log (body) VALUES (?)', body);
  }
}

function frame(id, bytes) {
  const message = new Uint8Array(bytes);
  new DataView(message.buffer).setUint32(0, id);
  return message;
}

const headers = { 'Content-Type': 'application/json' };

export default {
  async fetch(request, env) {
    const member = env.MEMBER.get(env.MEMBER.idFromName('m'));
    if (request.headers.get('upgrade') === 'websocket') return member.fetch(request);
    if (request.method !== 'POST') return new Response('ready');
    const body = await request.text();
    if (env.BOUND === 'worker') return new Response(ANSWER, { headers });
    return new Response(await answerOf(member, env.BOUND, body), { headers });
  },
};

function answerOf(member, bound, body) {
  if (bound === 'object') return member.call(body);
  return bound === 'durable' ? member.write(body) : member.ask(body);
}
