import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startEtcd } from '../../bench/etcd.ts';
import { leaderFirst, type System } from '../../bench/system.ts';
import { must } from '../../src/lib/assert.ts';
import { caughtUp } from './client.ts';
import { freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { Etcdctl, hasEtcd, hasEtcdctl, type Ran } from './etcdctl.ts';

/** Whether there is something to compare with. */
export const hasPair = hasEtcd && hasEtcdctl;

/** Debian's etcdctl against a cluster of ours and one of etcd: it must say the same of both. */
export class EtcdctlPair {
  readonly cluster: RunningCluster;
  readonly etcd: System;
  readonly ours: Etcdctl;
  readonly theirs: Etcdctl;
  readonly #workshop: Workshop;

  private constructor(
    workshop: Workshop,
    cluster: RunningCluster,
    etcd: System,
    urls: readonly string[],
  ) {
    this.#workshop = workshop;
    this.cluster = cluster;
    this.etcd = etcd;
    this.ours = new Etcdctl(urls);
    this.theirs = new Etcdctl(etcd.members.map(({ url }) => url));
  }

  static async start(): Promise<EtcdctlPair> {
    const workshop = new Workshop();
    const { signal } = new AbortController();
    try {
      const dataDir = workshop.dataDir();
      const cluster = await workshop.launch({ dataDir, port: await freeFirstPort() });
      const members = cluster.endpoints.map((url, i) => ({ name: `m${i + 1}`, url, pid: null }));
      const urls = (await leaderFirst(members, signal)).map(({ url }) => url);
      return new EtcdctlPair(workshop, cluster, await startEtcd(signal), urls);
    } catch (error) {
      await workshop.clear();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.etcd.stop();
    await this.#workshop.clear();
  }

  /** The endpoints of all six. */
  get urls(): readonly string[] {
    return [...this.etcd.members.map(({ url }) => url), ...this.cluster.endpoints];
  }

  /** Each of the six has applied what was done before: some commands show what one has itself. */
  caughtUp(): Promise<void> {
    return caughtUp(this.urls);
  }

  /** A directory that is removed with the pair. */
  directory(): string {
    return this.#workshop.dataDir();
  }

  get both(): readonly [Etcdctl, Etcdctl] {
    return [this.theirs, this.ours];
  }

  /** Both say the same. @returns what ours says */
  async same(args: readonly string[], input = ''): Promise<string> {
    return this.alike(args, args, input);
  }

  /** The same, where ids differ. @returns what ours says */
  async alike(theirs: readonly string[], ours: readonly string[], input = ''): Promise<string> {
    const asked = [settled(this.theirs, theirs, input), settled(this.ours, ours, input)];
    const [expected, found] = (await Promise.all(asked)).map((ran) => must(ran, 'there are two'));
    const wanted = must(expected, 'etcd has answered');
    const given = must(found, 'ours has answered');
    const lines = (text: string) => plain(text).split('\n').sort();
    expect(lines(given.output), `etcdctl ${ours.join(' ')}`).toEqual(lines(wanted.output));
    expect(given.code).toBe(wanted.code);
    const message = (text: string) => plain(/^Error: .*$/m.exec(text)?.[0] ?? '');
    expect(message(given.errors)).toBe(message(wanted.errors));
    return given.output;
  }
}

/**
 * What etcdctl says in the end. A change of members is refused, and nothing done, until the leader
 * has heard the others for a while: five seconds with etcd, and again after each break.
 */
async function settled(etcdctl: Etcdctl, args: readonly string[], input: string): Promise<Ran> {
  const lastMs = performance.now() + UNHEALTHY_MS_MAX;
  for (;;) {
    const ran = await etcdctl.run(args, input);
    const isRefused = /etcdserver: unhealthy cluster/.test(ran.errors);
    if (!isRefused || performance.now() > lastMs) return ran;
    await sleep(500);
  }
}

const UNHEALTHY_MS_MAX = 30_000;

const DIFFERENCES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/"ts":[^,]*,/g, ''],
  [/(http:\/\/)?127\.0\.0\.1:\d+/g, 'URL'],
  [/"(cluster_id|member_id|raft_term|ID|leader|term|lease)":\d+/gi, '"$1":N'],
  [/"(raftIndex|raftAppliedIndex|raftTerm|dbSize|dbSizeInUse|hash)":\d+/g, '"$1":N'],
  [/"(totalSize|memberID|id)":\d+/g, '"$1":N'],
  [/"(ClusterID|MemberID|RaftTerm|RaftIndex|RaftAppliedIndex)" : \d+/g, '"$1" : N'],
  [/"(ID|Leader|DBSize|DBSizeInUse|Hash|Size|LeaseID)" : \d+/g, '"$1" : N'],
  [/"took":"[^"]*"/gi, '"took"'],
  [/(3\.4\.23|3\.5\.21)/g, 'VERSION'],
  [/\b\d+(\.\d+)? [kM]B\b/g, 'SIZE'],
  [/\b[0-9a-f]{12,16}\b/g, 'ID'],
  [/took = [\d.]+\w+/g, 'took'],
  [/\b\d+\.\d+(ms|µs|s)\b/g, 'TOOK'],
  [/\b[me][123]\b/g, 'NAME'],
  [/remaining\(\d+s\)/g, 'remaining'],
  [/[ -]+/g, ' '],
  // Of a status: term, index, applied index. And a hash.
  [/((true|false),? \|?) ?\d+(,? \|?) ?\d+(,? \|?) ?\d+(,? ?\|? ?)/g, '$1$3$4$5'],
  [/URL(,? \|?) ?\d+\b/g, 'URL$1 HASH'],
  [/ +$/gm, ''],
];

/** Without ids, times, sizes, addresses, versions, and without the widths that depend on them. */
export function plain(text: string): string {
  return DIFFERENCES.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text)
    .replace(/(?<=ETCD_INITIAL_CLUSTER=")[^"]*/, (list) => sorted(list, /[^,]+/g))
    .replace(/\{"ID":N[^}]*\}(,\{"ID":N[^}]*\})+/g, (list) => sorted(list, /\{[^}]*\}/g))
    .trim();
}

/** Members are listed by their ids, which differ. */
function sorted(list: string, items: RegExp): string {
  return (list.match(items) ?? []).sort().join(',');
}
