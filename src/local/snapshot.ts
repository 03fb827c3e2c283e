import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, StartError } from './error.ts';
import { StoredSnapshot } from './snapshot_file.ts';

/** A line of the answer: a piece of the file, or why there are no more. */
interface Line {
  readonly result?: { readonly blob?: string };
  readonly error?: { readonly message?: string } | string;
}

/**
 * Saves what /v3/maintenance/snapshot sends. The file is there when it is whole, and not before.
 * @throws StartError
 */
export async function saveSnapshot(
  endpoint: string,
  user: string | null,
  path: string,
): Promise<Pick<StoredSnapshot, 'bytes' | 'info'>> {
  const part = `${path}.part`;
  try {
    const token = user === null ? null : await authenticate(endpoint, user);
    const response = await post(endpoint, '/v3/maintenance/snapshot', {}, token);
    if (response.body === null) throw new StartError(`${endpoint} sends nothing`);
    const file = createWriteStream(part, { mode: 0o600, flush: true });
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
    await pipeline(body, blobs(), file);
    const { bytes, info } = verified(part);
    renameSync(part, path);
    return { bytes, info };
  } catch (error) {
    rmSync(part, { force: true });
    if (error instanceof StartError) throw error;
    throw new StartError(`${endpoint}: ${messageOf(error)}`);
  }
}

/** Whether what arrived is whole, by its own hash. */
function verified(path: string): Pick<StoredSnapshot, 'bytes' | 'info'> {
  const snapshot = StoredSnapshot.open(path);
  const { bytes, info } = snapshot;
  snapshot.close();
  return { bytes, info };
}

/** From lines of JSON to the bytes in them. */
function blobs(): Transform {
  let rest = '';
  const take = (line: string, out: Transform): void => {
    if (line.trim() === '') return;
    const { result, error } = JSON.parse(line) as Line;
    if (error !== undefined) {
      const message = typeof error === 'string' ? error : error.message;
      throw new StartError(`the snapshot ended early: ${message}`);
    }
    if (result?.blob !== undefined) out.push(Buffer.from(result.blob, 'base64'));
  };
  return new Transform({
    decodeStrings: false,
    transform(chunk: Buffer | string, _encoding, done) {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      try {
        for (const line of lines) take(line, this);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      try {
        take(rest, this);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

async function authenticate(endpoint: string, user: string): Promise<string> {
  const colon = user.indexOf(':');
  const [name, password] = [user.slice(0, colon), user.slice(colon + 1)];
  if (colon <= 0) throw new StartError('--user is not name:password');
  const response = await post(endpoint, '/v3/auth/authenticate', { name, password }, null);
  const { token } = (await response.json()) as { token?: string };
  if (token === undefined) throw new StartError(`${endpoint} gives no token`);
  return token;
}

async function post(
  endpoint: string,
  path: string,
  body: Readonly<Record<string, string>>,
  token: string | null,
): Promise<Response> {
  const response = await fetch(new URL(path, endpoint), {
    method: 'POST',
    body: JSON.stringify(body),
    headers: token === null ? {} : { authorization: token },
  });
  if (response.ok) return response;
  const text = await response.text();
  throw new StartError(`${endpoint} answers ${response.status}: ${text.trim()}`);
}
