import type { BinaryWriter } from '../lib/binary.ts';

/** How the rows of a table are written. */
export interface RowCodec<T> {
  write(writer: BinaryWriter, value: T): void;
  decode(key: Uint8Array, row: Uint8Array): T;
  /** Bytes of memory, about. */
  sizeOf(value: T): number;
  /** The same value, sharing no buffer with others. Absent: none does. */
  detach?(value: T): T;
}

/** A table whose values are rows already. */
export const BYTES_CODEC: RowCodec<Uint8Array> = {
  write: (writer, value) => writer.raw(value),
  decode: (_key, row) => row,
  sizeOf: (value) => value.length,
};
