import type { MemberPublish } from '../api/gen/command_pb.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import type { Journal } from './journal.ts';
import { ALL_KEYS } from './key_range.ts';
import { OverlayTable, type RowCodec } from './overlay_table.ts';
import type { StateStore } from './store.ts';

/** What a member has told the cluster about itself. Who votes is raft's configuration, not this. */
export interface MemberInfo {
  readonly id: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly peerUrls: readonly string[];
}

const MEMBER_CODEC: RowCodec<MemberInfo> = {
  encode: encodeMember,
  decode: decodeMember,
  sizeOf: () => 256,
};

export class Members {
  readonly table: OverlayTable<MemberInfo>;

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'member', MEMBER_CODEC, journal);
  }

  /** By id ascending, unsigned, as etcd lists them. */
  get all(): readonly MemberInfo[] {
    return [...this.table.scan(ALL_KEYS)];
  }

  publish({ memberId, name, clientUrls, peerUrls }: MemberPublish): void {
    const key = keyOfMember(memberId);
    this.table.set(key, { id: memberId, name, clientUrls, peerUrls }, this.table.get(key));
  }
}

function keyOfMember(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, id);
  return key;
}

function encodeMember({ name, clientUrls, peerUrls }: MemberInfo): Uint8Array {
  const writer = new BinaryWriter(128).text(name);
  for (const urls of [clientUrls, peerUrls]) {
    writer.varint(urls.length);
    for (const url of urls) writer.text(url);
  }
  return writer.finish();
}

function decodeMember(key: Uint8Array, row: Uint8Array): MemberInfo {
  const reader = new BinaryReader(row);
  const id = new DataView(key.buffer, key.byteOffset).getBigUint64(0);
  const name = reader.text();
  const urls = () => Array.from({ length: reader.varint() }, () => reader.text());
  return { id, name, clientUrls: urls(), peerUrls: urls() };
}
