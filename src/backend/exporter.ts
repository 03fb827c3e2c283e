import { create, toBinary } from '@bufbuild/protobuf';
import { RoleSchema, UserSchema } from '../api/gen/auth_pb.ts';
import { LeaseSchema } from '../api/gen/backend_pb.ts';
import { KeyValueSchema } from '../api/gen/kv_pb.ts';
import { AlarmMemberSchema } from '../api/gen/rpc_pb.ts';
import { BboltWriter, type FileSink } from '../bbolt/writer.ts';
import { assert, must } from '../lib/assert.ts';
import { compareBytes, EMPTY_BYTES, utf8 } from '../lib/bytes.ts';
import { alarmOfKey } from '../state/alarm.ts';
import {
  CONFIG_KEY,
  decodeConfig,
  decodeRole,
  decodeUser,
  roleKey,
  userKey,
} from '../state/auth/records.ts';
import { recordsOf } from '../state/history.ts';
import { leaseOfRow } from '../state/lease.ts';
import { decodeMeta, type Meta } from '../state/meta.ts';
import { SnapshotReceiver } from '../state/snapshot.ts';
import type { Row, TableName } from '../state/store.ts';
import { decodeRecord, toKeyValue } from '../state/version.ts';
import { AuthKey, Bucket, bigEndian64, MetaKey, revisionKey } from './buckets.ts';

/**
 * Writes the state of a snapshot as etcd's backend has it: a file that etcd restores, with the same
 * keys at the same revisions. What belongs to the cluster that it is taken of (its members, who
 * proposed what, the tokens of sessions) is left out, as etcd's own restore would do.
 */
export class BackendExport {
  readonly #writer: BboltWriter;
  readonly #receiver: SnapshotReceiver;
  readonly #keys: ReturnType<BboltWriter['bucket']>;
  #meta: Meta | null = null;
  #leases: Row[] = [];
  #alarms: Row[] = [];
  #auth: Row[] = [];

  constructor(file: FileSink) {
    this.#writer = new BboltWriter(file);
    this.#keys = this.#writer.bucket(Bucket.key);
    this.#receiver = new SnapshotReceiver({ stagePut: (...rows) => this.#take(...rows) });
  }

  /** The next chunk. @throws SnapshotError when it does not continue the snapshot */
  write(chunk: Uint8Array): void {
    this.#receiver.write(chunk);
  }

  /** @returns the file's size in bytes. @throws SnapshotError when the snapshot is not whole */
  finish(): number {
    const { index } = this.#receiver.finish();
    const meta = must(this.#meta, 'a whole snapshot says what it is of');
    this.#writeMeta(meta, index);
    this.#fill(Bucket.lease, this.#leases.map(leaseEntry));
    this.#fill(Bucket.alarm, this.#alarms.map(alarmEntry));
    this.#writeAuth();
    for (const name of [Bucket.cluster, Bucket.members, Bucket.membersRemoved]) {
      this.#writer.bucket(name);
    }
    return this.#writer.finish();
  }

  #take(table: TableName, rows: readonly Row[]): void {
    if (table === 'history') for (const { value } of rows) this.#writeVersions(value);
    else if (table === 'meta') this.#meta = decodeMeta(must(rows[0], 'one row').value);
    else if (table === 'lease')
      this.#leases.push(...rows.filter((row) => leaseOfRow(row) !== null));
    else if (table === 'alarm') this.#alarms.push(...rows);
    else if (table === 'auth') this.#auth.push(...rows);
  }

  #writeVersions(row: Uint8Array): void {
    for (const record of recordsOf(row)) {
      const version = decodeRecord(record);
      const { deleted, key } = version;
      // Of a deletion etcd keeps nothing but the key.
      const kept = deleted ? create(KeyValueSchema, { key }) : toKeyValue(version);
      this.#keys.add(revisionKey(record, deleted), toBinary(KeyValueSchema, kept));
    }
  }

  #writeMeta({ compactRevision, compactedRevision }: Meta, index: number): void {
    const entries: Row[] = [{ key: MetaKey.consistentIndex, value: bigEndian64(BigInt(index)) }];
    const note = (key: Uint8Array, revision: number): void => {
      if (revision > 0) entries.push({ key, value: revisionKey({ revision, sub: 0 }) });
    };
    // Where they differ etcd finishes what had been begun here.
    note(MetaKey.scheduledCompact, compactRevision);
    note(MetaKey.finishedCompact, compactedRevision);
    this.#fill(Bucket.meta, entries);
  }

  /**
   * Hashes of passwords go as they are: they come back to where they can be checked. etcd cannot
   * check them, and lets nobody in by one.
   */
  #writeAuth(): void {
    const all = this.#auth;
    const config = all.find(({ key }) => compareBytes(key, CONFIG_KEY) === 0);
    const { enabled, revision } = config
      ? decodeConfig(config.value)
      : { enabled: false, revision: 1 };
    this.#fill(Bucket.auth, [
      { key: AuthKey.enabled, value: Uint8Array.of(enabled ? 1 : 0) },
      { key: AuthKey.revision, value: bigEndian64(BigInt(revision)) },
    ]);
    this.#fill(Bucket.authUsers, all.filter(isOf(userKey(''))).map(userEntry));
    this.#fill(Bucket.authRoles, all.filter(isOf(roleKey(''))).map(roleEntry));
  }

  #fill(name: string, entries: readonly Row[]): void {
    const bucket = this.#writer.bucket(name);
    const sorted = [...entries].sort((a, b) => compareBytes(a.key, b.key));
    for (const { key, value } of sorted) bucket.add(key, value);
  }
}

function isOf(prefix: Uint8Array): (row: Row) => boolean {
  assert(prefix.length === 1, 'rows of a kind begin with one byte');
  return ({ key }) => key[0] === prefix[0] && key.length > 1;
}

function leaseEntry(row: Row): Row {
  const { id, ttlSeconds, grantedTtlSeconds } = must(leaseOfRow(row), 'it was looked at');
  const lease = create(LeaseSchema, { ID: id, TTL: grantedTtlSeconds });
  if (ttlSeconds < grantedTtlSeconds) lease.RemainingTTL = ttlSeconds;
  return { key: bigEndian64(id), value: toBinary(LeaseSchema, lease) };
}

function alarmEntry({ key }: Row): Row {
  return { key: toBinary(AlarmMemberSchema, alarmOfKey(key)), value: EMPTY_BYTES };
}

function userEntry({ value }: Row): Row {
  const { name, passwordHash, noPassword, roles } = decodeUser(value);
  const user = create(UserSchema, {
    name: utf8(name),
    password: utf8(passwordHash),
    roles: [...roles],
    options: { noPassword },
  });
  return { key: utf8(name), value: toBinary(UserSchema, user) };
}

function roleEntry({ value }: Row): Row {
  const { name, permissions } = decodeRole(value);
  const keyPermission = permissions.map(({ permType, key, rangeEnd }) => ({
    permType,
    key,
    rangeEnd,
  }));
  const role = create(RoleSchema, { name: utf8(name), keyPermission });
  return { key: utf8(name), value: toBinary(RoleSchema, role) };
}
