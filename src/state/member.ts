import { EtcdError } from '../api/error.ts';
import type {
  MemberAdd,
  MemberPromote,
  MemberPublish,
  MemberRemove,
  MemberUpdate,
} from '../api/gen/command_pb.ts';
import { limits } from '../config.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { NO_BUGS } from './bugs.ts';
import type { Journal } from './journal.ts';
import { ALL_KEYS } from './key_range.ts';
import { OverlayTable } from './overlay_table.ts';
import type { RowCodec } from './row_codec.ts';
import type { StateStore } from './store.ts';

/** A member of the cluster as of the applied index. */
export interface MemberInfo {
  readonly id: bigint;
  /** Empty until the member has started. */
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

/** Who belongs to the cluster, to be read. */
export interface Membership {
  /** By id ascending, unsigned, as etcd lists them. */
  readonly all: readonly MemberInfo[];
  /** Whether the id was a member's once and is no more. */
  isRemoved(id: bigint): boolean;
  /** The entry that made the configuration what it is; 0: the cluster began with it. */
  readonly confIndex: number;
}

/** Whoever was removed stays on record: no member comes back under an old id. */
interface MemberRow extends MemberInfo {
  readonly removed: boolean;
}

const FLAGS = { learner: 1, removed: 2 } as const;

const MEMBER_CODEC: RowCodec<MemberRow> = {
  write: (writer, member) => writer.raw(encodeMember(member)),
  decode: decodeMember,
  sizeOf: () => 256,
};

/**
 * Who belongs to the cluster: the one truth about it. The core's configuration is derived from
 * these rows when a member starts, and both change by the same entries. What throws here throws
 * alike on every member, and for a proposer that asks before it proposes.
 */
export class Members implements Membership {
  readonly table: OverlayTable<MemberRow>;
  confIndex: number;
  readonly #bugs: ReadonlySet<string>;

  constructor(
    store: StateStore,
    journal: Journal,
    confIndex: number,
    bugs: ReadonlySet<string> = NO_BUGS,
  ) {
    this.#bugs = bugs;
    this.confIndex = confIndex;
    this.table = new OverlayTable(store, 'member', MEMBER_CODEC, journal);
  }

  get all(): readonly MemberInfo[] {
    return [...this.table.scan(ALL_KEYS)].filter(({ removed }) => !removed);
  }

  isRemoved(id: bigint): boolean {
    return this.table.get(keyOfMember(id))?.removed === true;
  }

  /** A member of a new cluster, before its first entry. */
  begin(member: MemberInfo): void {
    this.#set({ ...member, removed: false });
  }

  /**
   * The core counts the member from this entry on, whatever is said here: so nothing is asked but
   * whether the id is new, which its proposer knows for certain. @throws EtcdError
   */
  add({ memberId, peerUrls, isLearner }: MemberAdd): void {
    const known = this.table.get(keyOfMember(memberId));
    const returns = known?.removed === true && this.#bugs.has('removed-id-returns');
    if (known !== null && !returns) throw EtcdError.of('memberExists');
    const id = memberId;
    this.#set({ id, name: '', clientUrls: [], peerUrls, isLearner, removed: false });
  }

  /**
   * What the proposer asks besides, as if the member had been added. Not asked when it is: another
   * may have moved to the URL since, and members may differ in the limit. @throws EtcdError
   */
  checkAdded({ memberId, peerUrls, isLearner }: MemberAdd): void {
    this.#checkUrls(memberId, peerUrls);
    const learners = this.all.filter((member) => member.isLearner).length;
    if (isLearner && learners > limits.learnersMax) throw EtcdError.of('tooManyLearners');
  }

  /** @throws EtcdError */
  remove({ memberId }: MemberRemove): void {
    const { isLearner } = this.#get(memberId);
    const voters = this.all.filter((member) => !member.isLearner).length;
    // Nobody would be left to decide anything, not even to take the change back.
    if (!isLearner && voters === 1) throw EtcdError.of('notEnoughStartedMembers');
    const nothing = { name: '', clientUrls: [], peerUrls: [], isLearner: false };
    this.#set({ id: memberId, ...nothing, removed: true });
  }

  /** @throws EtcdError */
  promote({ memberId }: MemberPromote): void {
    const member = this.#get(memberId);
    if (!member.isLearner) throw EtcdError.of('memberNotLearner');
    this.#set({ ...member, isLearner: false });
  }

  /** Changes nothing but the URLs: a learner stays one. @throws EtcdError */
  update({ memberId, peerUrls }: MemberUpdate): void {
    const member = this.#get(memberId);
    this.#checkUrls(memberId, peerUrls);
    this.#set({ ...member, peerUrls });
  }

  /** A member says what it is called and where clients reach it. @throws EtcdError */
  publish({ memberId, name, clientUrls, peerUrls }: MemberPublish): void {
    const member = this.#get(memberId);
    const reachedAt = peerUrls.length > 0 ? peerUrls : member.peerUrls;
    this.#set({ ...member, name, clientUrls, peerUrls: reachedAt });
  }

  #get(id: bigint): MemberRow {
    const row = this.table.get(keyOfMember(id));
    if (row === null || row.removed) throw EtcdError.of('memberNotFound');
    return row;
  }

  #set(row: MemberRow): void {
    const key = keyOfMember(row.id);
    this.table.set(key, row, this.table.get(key));
  }

  /** Two members at one URL would be one that is counted twice. */
  #checkUrls(id: bigint, peerUrls: readonly string[]): void {
    const others = this.all.filter((member) => member.id !== id);
    const taken = new Set(others.flatMap((member) => member.peerUrls));
    if (peerUrls.some((url) => taken.has(url))) throw EtcdError.of('peerUrlExists');
  }
}

function keyOfMember(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, id);
  return key;
}

function encodeMember(member: MemberRow): Uint8Array {
  const { name, clientUrls, peerUrls, isLearner, removed } = member;
  const flags = (isLearner ? FLAGS.learner : 0) | (removed ? FLAGS.removed : 0);
  const writer = new BinaryWriter(128).text(name);
  for (const urls of [clientUrls, peerUrls]) {
    writer.varint(urls.length);
    for (const url of urls) writer.text(url);
  }
  return writer.varint(flags).finish();
}

function decodeMember(key: Uint8Array, row: Uint8Array): MemberRow {
  const reader = new BinaryReader(row);
  const id = new DataView(key.buffer, key.byteOffset).getBigUint64(0);
  const name = reader.text();
  const urls = () => Array.from({ length: reader.varint() }, () => reader.text());
  const clientUrls = urls();
  const peerUrls = urls();
  const flags = reader.varint();
  const isLearner = (flags & FLAGS.learner) !== 0;
  const removed = (flags & FLAGS.removed) !== 0;
  return { id, name, clientUrls, peerUrls, isLearner, removed };
}
