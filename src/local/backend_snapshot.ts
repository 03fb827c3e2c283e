import { closeSync, fstatSync, openSync } from 'node:fs';
import { SNAPSHOT_HASH_BYTES } from '../api/snapshot_file.ts';
import { BackendImport } from '../backend/importer.ts';
import { BboltError } from '../bbolt/layout.ts';
import { StartError } from './error.ts';
import { hasHash, readAt } from './file.ts';
import type { SnapshotSource } from './snapshot_source.ts';

/** Pages have sizes that this divides: what is beyond is the hash that etcdctl has added. */
const PAGE_DIVISOR = 512;

/** A snapshot as `etcdctl snapshot save` writes it, or a copy of a database of etcd. */
export class BackendSnapshot implements SnapshotSource {
  readonly title: string;
  readonly #file: number;
  readonly #import: BackendImport;

  private constructor(file: number, backend: BackendImport) {
    this.#file = file;
    this.#import = backend;
    this.title = `revision ${backend.revision}, by etcd`;
  }

  /** @throws StartError when it is not whole */
  static open(path: string, skipHashCheck: boolean): BackendSnapshot {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const isHashed = size % PAGE_DIVISOR === SNAPSHOT_HASH_BYTES;
      const bytes = isHashed ? size - SNAPSHOT_HASH_BYTES : size;
      if (!skipHashCheck && !(isHashed && hasHash(file, bytes))) {
        throw new StartError(
          isHashed
            ? `${path}: its hash differs: the file is not whole`
            : `${path}: snapshot missing hash but --skip-hash-check=false`,
        );
      }
      const read = (offset: number, length: number): Uint8Array =>
        readAt(file, offset, Math.max(0, Math.min(length, bytes - offset)));
      return new BackendSnapshot(file, new BackendImport({ bytes, read }));
    } catch (error) {
      closeSync(file);
      if (error instanceof BboltError) throw new StartError(`${path}: ${error.message}`);
      throw error;
    }
  }

  chunks(): Iterable<Uint8Array> {
    return this.#import.chunks();
  }

  close(): void {
    closeSync(this.#file);
  }
}
