import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, EtcdError } from '../api/error.ts';
import { type SnapshotResponse, SnapshotResponseSchema } from '../api/gen/rpc_pb.ts';
import { framedChunk, type SnapshotInfo, snapshotHead } from '../api/snapshot_file.ts';
import { limits } from '../config.ts';
import { Sha256 } from '../lib/sha256.ts';
import type { OpenSnapshot, StateMachine } from '../state/machine.ts';
import type { StreamSink } from './services/service.ts';

/** The file of a snapshot (api/snapshot_file.ts), piece by piece. */
export class SnapshotFile {
  readonly #source: Pick<OpenSnapshot, 'next'>;
  readonly #hash = new Sha256();
  #rest: Uint8Array;
  /** What follows `rest`; read ahead, to know which piece is the last. Null: nothing. */
  #next: Uint8Array | null;

  constructor(source: Pick<OpenSnapshot, 'next'>, info: SnapshotInfo) {
    this.#source = source;
    this.#rest = snapshotHead(info);
    this.#next = this.#read();
  }

  /** The next bytes of the file, and whether only the hash follows; null after the last. */
  next(): { readonly blob: Uint8Array; readonly isLast: boolean } | null {
    if (this.#rest.length === 0) return null;
    const blob = this.#rest.subarray(0, limits.snapshotBlobBytes);
    this.#rest = this.#rest.subarray(blob.length);
    if (this.#rest.length === 0 && this.#next !== null) {
      this.#rest = this.#next;
      this.#next = this.#read();
    }
    this.#hash.update(blob);
    return { blob, isLast: this.#rest.length === 0 };
  }

  /** The SHA-256 of all pieces, for after the last one. */
  hash(): Uint8Array {
    return this.#hash.digest();
  }

  #read(): Uint8Array | null {
    const chunk = this.#source.next();
    return chunk && framedChunk(chunk);
  }
}

export interface ClientSnapshotHost {
  machine(): StateMachine;
  guard<T>(work: () => T): T | null;
  setTimer(callback: () => void, ms: number): void;
}

/**
 * Sends a picture of the state to a client as fast as it is taken. While it is on its way the
 * removal of compacted rows waits.
 */
export class ClientSnapshot {
  readonly #host: ClientSnapshotHost;
  readonly #sink: StreamSink<typeof SnapshotResponseSchema>;
  readonly #machine: StateMachine;
  readonly #snapshot: OpenSnapshot;
  readonly #file: SnapshotFile;
  #pieces = 0;
  /** What is left, by the size of the tables, which are a little larger than the file. */
  #remainingBytes: number;
  #over = false;

  constructor(
    host: ClientSnapshotHost,
    sink: StreamSink<typeof SnapshotResponseSchema>,
    info: Pick<SnapshotInfo, 'version' | 'cluster'>,
  ) {
    this.#host = host;
    this.#sink = sink;
    const machine = host.machine();
    const opened = host.guard(() => {
      const snapshot = machine.openSnapshot();
      const { index, term } = snapshot;
      const { revision } = machine;
      return { snapshot, file: new SnapshotFile(snapshot, { ...info, revision, index, term }) };
    });
    if (opened === null) throw EtcdError.of('stopped');
    this.#machine = machine;
    this.#snapshot = opened.snapshot;
    this.#file = opened.file;
    this.#remainingBytes = machine.sizeBytes;
    this.#watch(0);
  }

  /** All is sent, or nobody wants it any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Sends what the client can take, and comes back when it can take more. */
  pump(): void {
    const sink = this.#sink;
    while (!this.#over && sink.bufferedBytes < limits.streamHighWaterBytes) {
      // A snapshot that this member was sent took the place of the rows that are read here.
      if (this.#host.machine() !== this.#machine) return this.#end(REPLACED);
      const piece = this.#host.guard(() => this.#file.next());
      if (piece === null) return this.#end(EtcdError.of('stopped'));
      this.#send(piece.blob, piece.isLast);
      if (!piece.isLast) continue;
      sink.send(message({ blob: this.#file.hash() }));
      return this.#end();
    }
    if (!this.#over) sink.drained(() => this.pump());
  }

  /** Lets compaction go on. May be called more than once. */
  close(): void {
    this.#over = true;
    this.#snapshot.close();
  }

  /**
   * That a client is gone is often not told, and compaction waits for it: one that takes nothing
   * for a while is not waited for.
   */
  #watch(piecesBefore: number): void {
    this.#host.setTimer(() => {
      if (this.#over) return;
      if (this.#pieces === piecesBefore) this.#end(STALLED);
      else this.#watch(this.#pieces);
    }, limits.snapshotStallMs);
  }

  #send(blob: Uint8Array, isLast: boolean): void {
    this.#pieces++;
    // It falls to zero with the last piece, as etcd's, and not before.
    this.#remainingBytes = isLast ? 0 : Math.max(1, this.#remainingBytes - blob.length);
    this.#sink.send(message({ remainingBytes: BigInt(this.#remainingBytes), blob }));
  }

  #end(error?: EtcdError): void {
    this.close();
    this.#sink.end(error);
  }
}

const REPLACED = new EtcdError(
  Code.unavailable,
  'etcdserver: the member was sent a snapshot itself meanwhile; ask again',
);

const STALLED = new EtcdError(
  Code.unavailable,
  'etcdserver: the snapshot was not taken by its client for too long',
);

function message(fields: MessageInitShape<typeof SnapshotResponseSchema>): SnapshotResponse {
  return create(SnapshotResponseSchema, fields);
}
