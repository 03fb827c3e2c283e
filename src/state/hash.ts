import { BinaryWriter } from '../lib/binary.ts';
import { crc32c } from '../lib/crc32c.ts';
import { ALL_KEYS } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';

export interface KvHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/**
 * A checksum over the keys that are live at a revision, in key order, with everything that a read
 * can see of them. It depends on no layout: members agree whatever each has compacted or packed.
 * @param revision 0 for the newest. @throws EtcdError outside of what can be read
 */
export function hashKv(mvcc: Mvcc, revision: number): KvHash {
  const hashRevision = revision > 0 ? revision : mvcc.revision;
  mvcc.checkReadable(hashRevision);
  let hash = 0;
  for (const version of mvcc.range(ALL_KEYS, hashRevision)) {
    const record = new BinaryWriter(64 + version.key.length + version.value.length)
      .bytes(version.key)
      .varint(version.createRevision)
      .varint(version.modRevision)
      .varint(version.sub)
      .varint(version.version)
      .int64(version.lease)
      .bytes(version.value);
    hash = crc32c(record.finish(), hash);
  }
  return { hash, compactRevision: mvcc.compactRevision, hashRevision };
}
