import { Etcd, EtcdWatchCompactedError, type Fetcher } from 'edgetcd/client';
import { Hono } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { page } from './page.ts';

interface Env {
  /** The deployment of edgetcd, as a service binding. */
  readonly ETCD: Fetcher;
}

const PREFIX = 'flags/';

/** Connections belong to the request that opened them, and so does the client. */
const flagsOf = ({ ETCD }: Env) => new Etcd({ binding: ETCD }).namespace(PREFIX);

const app = new Hono<{ Bindings: Env }>();

app.get('/', (c) => c.html(page));

app.get('/flags', async (c) => c.json(await flagsOf(c.env).getAll().json()));

app.get('/flags/:name', async (c) => {
  const value = await flagsOf(c.env).get(c.req.param('name')).json();
  return value === null ? c.notFound() : c.json(value);
});

app.put('/flags/:name', async (c) => {
  const value: unknown = await c.req.json();
  const { revision } = await flagsOf(c.env).put(c.req.param('name')).json(value);
  return c.json({ revision });
});

app.delete('/flags/:name', async (c) => {
  const { deleted, revision } = await flagsOf(c.env).delete().key(c.req.param('name'));
  return deleted === 0 ? c.notFound() : c.json({ revision });
});

/** All flags, and then every change as it is made. A page that comes back misses none. */
app.get('/live', (c) =>
  streamSSE(c, async (stream) => {
    const abort = new AbortController();
    stream.onAbort(() => abort.abort());
    const flags = flagsOf(c.env);
    let seen = Number(c.req.header('last-event-id') ?? 0);
    while (!stream.aborted) {
      if (seen === 0) seen = await sendAll(flags, stream);
      try {
        const watch = flags
          .watch()
          .startRevision(seen + 1)
          .signal(abort.signal);
        for await (const { type, key, kv, revision } of watch) {
          const data = JSON.stringify({ [key]: type === 'put' ? kv.json() : null });
          await stream.writeSSE({ event: 'change', data, id: String(revision) });
        }
      } catch (error) {
        if (abort.signal.aborted) return;
        // It was away for so long that the changes are gone: it begins anew.
        if (!(error instanceof EtcdWatchCompactedError)) throw error;
        seen = 0;
      }
    }
  }),
);

/** @returns the revision at which they were so: what comes after it is still to be told */
async function sendAll(
  flags: ReturnType<typeof flagsOf>,
  stream: SSEStreamingApi,
): Promise<number> {
  const { kvs, revision } = await flags.getAll().response();
  const data = JSON.stringify(Object.fromEntries(kvs.map((kv) => [kv.key, kv.json()])));
  await stream.writeSSE({ event: 'all', data, id: String(revision) });
  return revision;
}

export default app;
