import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { SnapshotRequestSchema, SnapshotResponseSchema } from '../api/gen/rpc_pb.ts';
import { methodOf } from '../api/methods.ts';
import { SnapshotStream } from '../api/snapshot_stream.ts';
import { BackendExport } from '../backend/exporter.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { must } from '../lib/assert.ts';
import { messageOf } from '../lib/error.ts';
import type { ClientStream } from './client_stream.ts';
import type { Upstream, UpstreamCall } from './upstream.ts';

const METHOD = must(methodOf('/v3/maintenance/snapshot'), 'snapshots are served');

/** What one message holds: etcd's are of this size. */
const BLOB_BYTES = 32 * 1024;

/**
 * A snapshot for tools that know etcd's: while it comes in our format it is written as a file of
 * etcd's, which is sent when it is whole. The file has no name from the beginning, so that nothing
 * is left of it whatever happens.
 */
export class SnapshotRelay {
  readonly #client: ClientStream;
  readonly #stream = new SnapshotStream();
  readonly #file = openUnnamed();
  readonly #export = new BackendExport({
    write: (bytes, offset) => writeSync(this.#file, bytes, 0, bytes.length, offset),
  });
  readonly #call: UpstreamCall;
  #over = false;

  constructor(upstream: Upstream, context: CallContext, client: ClientStream) {
    this.#client = client;
    this.#call = upstream.open(METHOD, context, {
      message: (bytes) => this.#guarded(() => this.#received(bytes)),
      end: (error) => this.#guarded(() => this.#ended(error)),
    });
    this.#call.send(toBinary(SnapshotRequestSchema, create(SnapshotRequestSchema)));
    this.#call.finish();
  }

  /** The client is gone, or has got all. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#call.cancel();
    closeSync(this.#file);
  }

  #received(bytes: Uint8Array): void {
    const { blob } = fromBinary(SnapshotResponseSchema, bytes);
    for (const chunk of this.#stream.push(blob)) this.#export.write(chunk);
  }

  #ended(error: EtcdError | null): void {
    if (error !== null) throw error;
    for (const chunk of this.#stream.finish()) this.#export.write(chunk);
    this.#send(this.#export.finish(), 0, createHash('sha256'));
  }

  /** As much as the client takes, and again when it takes more. */
  #send(size: number, from: number, hash: ReturnType<typeof createHash>): void {
    let at = from;
    while (at < size && this.#client.pendingBytes < bridgeLimits.highWaterBytes) {
      const blob = new Uint8Array(Math.min(BLOB_BYTES, size - at));
      readSync(this.#file, blob, 0, blob.length, at);
      hash.update(blob);
      at += blob.length;
      this.#tell(blob, size - at);
      // The client was sent away.
      if (this.#over) return;
    }
    if (at < size) return this.#client.drained(() => this.#send(size, at, hash));
    this.#tell(hash.digest(), 0);
    this.#client.end(null);
  }

  #tell(blob: Uint8Array, remaining: number): void {
    const remainingBytes = BigInt(remaining);
    const message = create(SnapshotResponseSchema, { blob, remainingBytes });
    this.#client.send(toBinary(SnapshotResponseSchema, message));
  }

  #guarded(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      const isKnown = error instanceof EtcdError;
      this.#client.end(isKnown ? error : new EtcdError(Code.dataLoss, messageOf(error)));
    }
  }
}

/** A file that is gone when it is closed. */
function openUnnamed(): number {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-snapshot-'));
  try {
    return openSync(join(directory, 'db'), 'wx+', 0o600);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
