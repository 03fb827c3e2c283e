import { fromBinary } from '@bufbuild/protobuf';
import { RoleSchema, UserSchema } from '../api/gen/auth_pb.ts';
import { LeaseSchema } from '../api/gen/backend_pb.ts';
import { AlarmMemberSchema, AlarmType } from '../api/gen/rpc_pb.ts';
import { BboltReader, type FileSource } from '../bbolt/reader.ts';
import { IMPORTED_KEYS_AT_ONCE } from '../config/bridge.ts';
import { limits } from '../config.ts';
import { mapKey, textOf } from '../lib/bytes.ts';
import { keyOfAlarm } from '../state/alarm.ts';
import {
  CONFIG_KEY,
  encodeConfig,
  encodeRole,
  encodeUser,
  roleKey,
  userKey,
} from '../state/auth/records.ts';
import { NO_CHAIN } from '../state/chain.ts';
import { packRows } from '../state/history.ts';
import { attachmentRow, leaseRow, leaseTotalsRow } from '../state/lease.ts';
import { encodeMeta, META_KEY } from '../state/meta.ts';
import { Origins } from '../state/origins.ts';
import { SnapshotWriter } from '../state/snapshot.ts';
import type { Row, TableName } from '../state/store.ts';
import { encodeRecord, encodeVersion, type HistoryRecord } from '../state/version.ts';
import { AuthKey, Bucket, MetaKey, readRevisionKey } from './buckets.ts';
import { VersionScan } from './version_scan.ts';

/** Records of history that are packed at once. */
const PACK_BYTES = 16 * limits.historyRowBytes;

/**
 * Reads etcd's backend as the state of a cluster here: keys with their history and revisions,
 * leases, alarms, users and roles. The file may be larger than memory.
 */
export class BackendImport {
  readonly #file: BboltReader;
  readonly #versions: VersionScan;
  readonly #revision: number;

  /** @param keysMax how many keys are remembered at once. @throws BboltError */
  constructor(file: FileSource, keysMax: number = IMPORTED_KEYS_AT_ONCE) {
    this.#file = new BboltReader(file);
    this.#versions = new VersionScan(this.#file, keysMax);
    const compaction = this.#compaction(MetaKey.scheduledCompact);
    this.#revision = Math.max(this.#versions.lastRevision, compaction);
  }

  get revision(): number {
    return this.#revision;
  }

  /** The state as chunks of a snapshot (state/snapshot.ts). @throws BboltError */
  *chunks(): Generator<Uint8Array> {
    const writer = new SnapshotWriter({ index: 1, term: 1 }, this.#rows());
    for (let chunk = writer.next(); chunk !== null; chunk = writer.next()) yield chunk;
  }

  *#rows(): Generator<readonly [TableName, Row]> {
    yield ['meta', this.#metaRow()];
    for (const [key] of this.#file.entries(Bucket.alarm)) yield ['alarm', alarmRow(key)];
    for (const row of this.#authRows()) yield ['auth', row];
    for (const row of this.#leaseRows()) yield ['lease', row];
    yield* this.#keyRows();
    yield* this.#historyRows();
  }

  *#keyRows(): Generator<readonly [TableName, Row]> {
    for (const version of this.#versions.newestVersions()) {
      yield [version.deleted ? 'dead' : 'kv', { key: version.key, value: encodeVersion(version) }];
    }
  }

  *#historyRows(): Generator<readonly [TableName, Row]> {
    let records: HistoryRecord[] = [];
    let bytes = 0;
    for (const version of this.#versions.all()) {
      const record = encodeRecord(version);
      records.push(record);
      bytes += record.body.length;
      if (bytes < PACK_BYTES) continue;
      for (const row of packRows(records)) yield ['history', row];
      records = [];
      bytes = 0;
    }
    for (const row of packRows(records)) yield ['history', row];
  }

  /** Leases, and which live keys are attached to them. */
  *#leaseRows(): Generator<Row> {
    const ids = new Set<bigint>();
    for (const [, value] of this.#file.entries(Bucket.lease)) {
      const { ID: id, TTL } = fromBinary(LeaseSchema, value);
      ids.add(id);
      // Time begins anew, as it does in etcd.
      yield leaseRow({ id, ttlSeconds: TTL, grantedTtlSeconds: TTL, generation: ids.size });
    }
    for (const { key, deleted, lease } of ids.size > 0 ? this.#versions.newest() : []) {
      if (!deleted && ids.has(lease)) yield attachmentRow(lease, key);
    }
    if (ids.size > 0) yield leaseTotalsRow(ids.size, ids.size);
  }

  /** Hashes that etcd has made cannot be checked here: such passwords have to be set anew. */
  *#authRows(): Generator<Row> {
    const values = new Map([...this.#file.entries(Bucket.auth)].map(([k, v]) => [mapKey(k), v]));
    const stored = values.get(mapKey(AuthKey.revision));
    const revision = stored === undefined ? 1 : Number(bigEndianOf(stored));
    const enabled = values.get(mapKey(AuthKey.enabled))?.[0] === 1;
    const config = { enabled, everEnabled: enabled, revision };
    yield { key: CONFIG_KEY, value: encodeConfig(config) };
    for (const [, value] of this.#file.entries(Bucket.authUsers)) {
      const { name: bytes, password, roles, options } = fromBinary(UserSchema, value);
      const name = textOf(bytes);
      const passwordHash = textOf(password);
      const noPassword = options?.noPassword ?? false;
      const user = { name, passwordHash, noPassword, roles, passwordRevision: revision };
      yield { key: userKey(name), value: encodeUser(user) };
    }
    for (const [, value] of this.#file.entries(Bucket.authRoles)) {
      const { name: bytes, keyPermission: permissions } = fromBinary(RoleSchema, value);
      const name = textOf(bytes);
      yield { key: roleKey(name), value: encodeRole({ name, permissions }) };
    }
  }

  #metaRow(): Row {
    let keyCount = 0;
    for (const { deleted } of this.#versions.newest()) if (!deleted) keyCount++;
    const scheduled = this.#compaction(MetaKey.scheduledCompact);
    const finished = this.#compaction(MetaKey.finishedCompact);
    const compactRevision = Math.max(scheduled, finished);
    const value = encodeMeta({
      appliedIndex: 1,
      appliedTerm: 1,
      revision: this.#revision,
      compactRevision,
      // What was begun there is finished here.
      compactedRevision: finished === compactRevision ? compactRevision : -1,
      progress: null,
      chain: NO_CHAIN,
      origins: new Origins(),
      confIndex: 0,
      keyCount,
    });
    return { key: META_KEY, value };
  }

  /** -1: none. */
  #compaction(name: Uint8Array): number {
    for (const [key, value] of this.#file.entries(Bucket.meta)) {
      if (mapKey(key) === mapKey(name)) return readRevisionKey(value).place.revision;
    }
    return -1;
  }
}

function alarmRow(bytes: Uint8Array): Row {
  const alarm = fromBinary(AlarmMemberSchema, bytes);
  const known = alarm.alarm === AlarmType.CORRUPT ? AlarmType.CORRUPT : AlarmType.NOSPACE;
  return { key: keyOfAlarm({ ...alarm, alarm: known }), value: new Uint8Array(0) };
}

function bigEndianOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
}
