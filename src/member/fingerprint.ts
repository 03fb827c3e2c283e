import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import type { ChainSum } from '../state/chain.ts';

/** The call by which the leader asks for one; see corruption.ts. */
export const FINGERPRINT_PATH = 'edgetcd.Member/Fingerprint';

/** What is to be compared. */
export interface FingerprintRequest {
  /** The applied index of which the outcome chain is wanted; 0: not wanted. */
  readonly index: number;
  /** The revision of which the keys' hash is wanted; 0: not wanted. */
  readonly revision: number;
}

/** What a member has there; null: it cannot say (not there yet, or already compacted). */
export interface Fingerprint {
  /** The checksum over the outcomes of all commands up to the index. */
  readonly chain: ChainSum | null;
  /** The hash of all keys live at the revision. */
  readonly hash: number | null;
  /** Ask again: the hash is being made, or the member is not there yet. */
  readonly pending: boolean;
  /** It has not applied so far. */
  readonly behind: boolean;
}

export function encodeFingerprintRequest({ index, revision }: FingerprintRequest): Uint8Array {
  return new BinaryWriter().varint(index).varint(revision).finish();
}

/** @throws InvariantError when it is malformed */
export function decodeFingerprintRequest(bytes: Uint8Array): FingerprintRequest {
  const reader = new BinaryReader(bytes);
  return { index: reader.varint(), revision: reader.varint() };
}

export function encodeFingerprint(fingerprint: Fingerprint): Uint8Array {
  const { chain, hash, pending, behind } = fingerprint;
  const writer = new BinaryWriter().varint(pending ? 1 : 0).varint(behind ? 1 : 0);
  writer.varint(hash === null ? 0 : hash + 1);
  // Definitions begin at 1.
  writer.varint(chain?.definition ?? 0);
  if (chain) writer.varint(chain.base).varint(chain.value);
  return writer.finish();
}

/** @throws InvariantError when it is malformed */
export function decodeFingerprint(bytes: Uint8Array): Fingerprint {
  const reader = new BinaryReader(bytes);
  const pending = reader.varint() === 1;
  const behind = reader.varint() === 1;
  const hash = reader.varint();
  const definition = reader.varint();
  const chain =
    definition === 0 ? null : { definition, base: reader.varint(), value: reader.varint() };
  return { chain, hash: hash === 0 ? null : hash - 1, pending, behind };
}
