import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError, systemCode } from './error.ts';

/**
 * What the first start on a data directory decided, kept in cluster.json. Member ids are derived
 * from the peer URLs of the first start, so its ports stay on record when later ones differ.
 */
export interface ClusterRecord {
  readonly version: 1;
  readonly name: string;
  readonly size: number;
  readonly ports: readonly number[];
  /** The cluster's token, of a cluster that was restored; else its name is. */
  readonly token?: string;
  /** Members that the cluster has removed since: they are not started any more. */
  readonly removed?: readonly string[];
}

/** One that joined a cluster, kept in member.json: what its first start has found out. */
export interface MemberRecord {
  readonly version: 1;
  readonly cluster: string;
  readonly name: string;
  readonly port: number;
  readonly peerUrl: string;
  /** Names and peer URLs of those who were members before. */
  readonly peers: readonly (readonly [string, string])[];
  readonly secret: string;
}

/** One that is started by itself, kept in separate.json: whose data this is. */
export interface SeparateRecord {
  readonly version: 1;
  readonly cluster: string;
  readonly name: string;
}

/** The files of a local cluster outside the members' own databases. */
export class DataDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** As etcd's data directory, it is the owner's alone. */
  create(): void {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      const code = systemCode(error) ?? String(error);
      throw new StartError(`cannot create the data directory ${this.path}: ${code}`);
    }
  }

  /** Where a member's databases live. */
  memberPath(member: string): string {
    return join(this.path, member);
  }

  /** The record of the first start, or null on a new directory. @throws StartError */
  readRecord(): ClusterRecord | null {
    return this.readJson('cluster.json', isClusterRecord);
  }

  /** The same of a member that joined. @throws StartError */
  readMember(): MemberRecord | null {
    return this.readJson('member.json', isMemberRecord);
  }

  /** The same of a member that is started by itself. @throws StartError */
  readSeparate(): SeparateRecord | null {
    return this.readJson('separate.json', isSeparateRecord);
  }

  writeSeparate(record: SeparateRecord): void {
    this.replace('separate.json', `${JSON.stringify(record, null, 2)}\n`, 0o600);
  }

  writeMember(record: MemberRecord): void {
    this.replace('member.json', `${JSON.stringify(record, null, 2)}\n`, 0o600);
  }

  writeRecord(record: ClusterRecord): void {
    this.replace('cluster.json', `${JSON.stringify(record, null, 2)}\n`, 0o600);
  }

  /** The secret that the members show each other, drawn at the first start. */
  peerSecret(): string {
    const kept = readIfThere(join(this.path, 'peer.secret'))?.trim();
    if (kept !== undefined && kept !== '') return kept;
    const secret = randomBytes(32).toString('hex');
    this.replace('peer.secret', `${secret}\n`, 0o600);
    return secret;
  }

  /** Only the number, so that `kill -9 $(cat m1.pid)` works. */
  writePid(member: string, pid: number): void {
    this.replace(`${member}.pid`, `${pid}\n`, 0o644);
  }

  removePid(member: string): void {
    rmSync(join(this.path, `${member}.pid`), { force: true });
  }

  private readJson<T>(name: string, isWhole: (value: unknown) => value is T): T | null {
    const path = join(this.path, name);
    const text = readIfThere(path);
    if (text === null) return null;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = null;
    }
    if (isWhole(value)) return value;
    throw new StartError(`${path} is damaged or was written by another version of edgetcd`);
  }

  /** Written beside and renamed: a crash leaves the old file or the new one. */
  private replace(name: string, text: string, mode: number): void {
    const path = join(this.path, name);
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    writeFileSync(temporary, text, { mode, flag: 'wx', flush: true });
    renameSync(temporary, path);
  }
}

/** @throws StartError when the wish contradicts what the directory holds */
export function checkRecord(
  record: ClusterRecord,
  wish: { readonly name: string; readonly size: number },
  directory: string,
): void {
  const differs = (what: string, kept: string | number, wanted: string | number): StartError =>
    new StartError(
      `${directory} holds a cluster with ${what} ${kept}, not ${wanted}; choose another --data-dir, or start without --${what}`,
    );
  if (record.name !== wish.name) throw differs('name', record.name, wish.name);
  if (record.size !== wish.size) throw differs('size', record.size, wish.size);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw new StartError(`cannot read ${path}: ${systemCode(error) ?? String(error)}`);
  }
}

function isClusterRecord(value: unknown): value is ClusterRecord {
  if (typeof value !== 'object' || value === null) return false;
  if (!('version' in value && 'name' in value && 'size' in value && 'ports' in value)) return false;
  return (
    value.version === 1 &&
    typeof value.name === 'string' &&
    Array.isArray(value.ports) &&
    value.ports.every(Number.isInteger) &&
    value.ports.length === value.size
  );
}

function isMemberRecord(value: unknown): value is MemberRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Readonly<Record<string, unknown>>;
  const texts = [record['cluster'], record['name'], record['peerUrl'], record['secret']];
  return (
    record['version'] === 1 &&
    texts.every((text) => typeof text === 'string') &&
    Number.isInteger(record['port']) &&
    Array.isArray(record['peers'])
  );
}

function isSeparateRecord(value: unknown): value is SeparateRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Readonly<Record<string, unknown>>;
  const texts = [record['cluster'], record['name']];
  return record['version'] === 1 && texts.every((text) => typeof text === 'string');
}
