import type { EtcdError } from '../../api/error.ts';
import { encodeStreamError } from '../../api/error-body.ts';
import { WatchRequestSchema, type WatchResponse } from '../../api/gen/rpc_pb.ts';
import { decodeJson } from '../../api/json.ts';
import type { Format } from './format.ts';

/** How long a page waits before it connects again. */
const RETRY_MS = 1_000;

/**
 * The watch of that request as server-sent events. The id of an event is a revision: everything up
 * to it has been sent, so a page that comes back with it in Last-Event-ID misses nothing and sees
 * nothing twice.
 */
export function serverSentEvents(request: string): Format {
  const startRevision = startOf(request);
  return {
    contentType: 'text/event-stream',
    preamble: `retry: ${RETRY_MS}\n\n`,
    frame: (json, message) => eventOf(json, message as WatchResponse, startRevision),
    error: (error: EtcdError) => `event: error\ndata: ${encodeStreamError(error).body}\n\n`,
    blank: ':\n\n',
  };
}

/** Where the watch begins; 0n: with the next revision. */
function startOf(request: string): bigint {
  try {
    const { requestUnion } = decodeJson(WatchRequestSchema, request);
    return requestUnion.case === 'createRequest' ? requestUnion.value.startRevision : 0n;
  } catch {
    return 0n; // The stream will say what is wrong with it.
  }
}

function eventOf(json: string, response: WatchResponse, startRevision: bigint): string {
  const id = idOf(response, startRevision);
  const type = typeOf(response);
  const head = type === 'message' ? '' : `event: ${type}\n`;
  return `${id === null ? '' : `id: ${id}\n`}${head}data: ${json}\n\n`;
}

/** Only answers with events are plain messages: a page that knows of no others loses nothing. */
function typeOf(response: WatchResponse): string {
  if (response.canceled) return response.compactRevision > 0n ? 'compacted' : 'canceled';
  if (response.created) return 'created';
  return response.events.length > 0 ? 'message' : 'progress';
}

/** The last revision that need not be sent again; null: this answer does not say. */
function idOf(response: WatchResponse, startRevision: bigint): bigint | null {
  const { canceled, created, compactRevision, events, fragment, header } = response;
  // Coming back, the page gets all that is left; that something is missing it was told.
  if (canceled) return compactRevision > 0n ? compactRevision - 1n : null;
  const last = events.at(-1)?.kv?.modRevision;
  // A revision that goes on in the next fragment has not been sent yet.
  if (last !== undefined) return fragment ? last - 1n : last;
  // History comes after this answer, whatever the revision in its header.
  if (created && startRevision > 0n) return startRevision - 1n;
  return header?.revision ?? null;
}
