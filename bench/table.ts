import type { BoundSummary } from './bounds/bounds.ts';
import type { GrpcSummary } from './grpc/grpc_series.ts';
import type { MachineFacts } from './machine.ts';
import type { SessionSummary } from './session/session_series.ts';
import type { SeriesSummary, SystemSummary } from './summary.ts';

export type Row = readonly string[];

export interface Report {
  readonly facts: MachineFacts;
  readonly results: readonly SeriesSummary[];
  readonly sessions: readonly SessionSummary[];
  readonly grpc: readonly GrpcSummary[];
  readonly bounds: readonly BoundSummary[];
}

/** Everything that was found out, as text. */
export function renderReport({ facts, results: list, sessions, grpc, bounds }: Report): string {
  const puts = list.filter(({ kind }) => kind === 'put');
  const rates =
    "Rates: medians of the rounds; ratio: the median of the rounds' ratios; latencies in ms";
  const parts = [renderFacts(facts), rates, renderRows(rateRows(list))];
  if (sessions.length > 0) {
    const what = "operations at once over at most 6 sockets; ratio: to etcd's best gateway rate";
    parts.push(`Sessions: ${what}`, renderRows(sessionRows(sessions)));
  }
  if (grpc.length > 0) {
    const what = 'through the bridge of npm start; us of CPU for a put: of the bridge, of all';
    parts.push(`Puts by gRPC, ${what}`, renderRows(grpcRows(grpc)));
  }
  if (bounds.length > 0) {
    const what = 'a Worker, one that asks an object, a row, another process, a row in three';
    parts.push(`The runtime's own limit: ${what}`, renderRows(boundRows(bounds)));
  }
  if (puts.some(({ rowsPerPut }) => rowsPerPut.some((entry) => entry.rowsPerPut !== null))) {
    parts.push('Rows written per put, by member', renderRows(rowsPerPutRows(puts)));
  }
  if (list.some(({ ours, etcd }) => ours.cpuUsPerRequest ?? etcd?.cpuUsPerRequest)) {
    const what = 'by member; microseconds of all members for a request';
    parts.push(`CPU: seconds used in a second of load, ${what}`, renderRows(cpuRows(list)));
  }
  return parts.join('\n\n');
}

export function renderFacts(facts: MachineFacts): string {
  return [
    `${facts.cores} cores (${facts.processor}), ${facts.memoryGiB} GiB, load ${facts.loadBefore}`,
    `node ${facts.node}, workerd ${facts.workerd}, etcd ${facts.etcd}`,
    `load generator: ${facts.generator}`,
  ].join('\n');
}

function rateRows(list: readonly SeriesSummary[]): Row[] {
  const latencies = (name: string): string[] =>
    ['p50', 'p90', 'p99', 'p99.9'].map((label) => `${name} ${label}`);
  const compared = list.some(({ etcd }) => etcd !== null);
  const head = ['kind', 'conns', 'ours/s', ...latencies('ours'), 'ours errors'];
  const etcdHead = ['etcd/s', ...latencies('etcd'), 'etcd errors', 'ratio'];
  const rows = list.map(({ kind, connections, ours, etcd, ratio }) => [
    kind,
    String(connections),
    ...systemCells(ours),
    ...(etcd === null ? [] : [...systemCells(etcd), fixed(ratio, 2)]),
  ]);
  return [compared ? [...head, ...etcdHead] : head, ...rows];
}

function grpcRows(list: readonly GrpcSummary[]): Row[] {
  const head = [
    'conns',
    'ours/s',
    'p50',
    'p99',
    'errors',
    'etcd/s',
    'ratio',
    'bridge us',
    'all us',
  ];
  const rows = list.map((each) => [
    whole(each.connections),
    whole(each.perSecond),
    fixed(each.p50Ms, 2),
    fixed(each.p99Ms, 2),
    whole(each.errors),
    each.etcdPerSecond === null ? '-' : whole(each.etcdPerSecond),
    fixed(each.ratio, 2),
    fixed(each.bridgeUs, 0),
    fixed(each.allUs, 0),
  ]);
  return [head, ...rows];
}

function boundRows(bounds: readonly BoundSummary[]): Row[] {
  const rows = bounds.map((each) => [
    each.bound,
    String(each.connections),
    whole(each.perSecond),
    fixed(each.p50Ms, 2),
    fixed(each.p99Ms, 2),
    fixed(each.cpuUsPerRequest, 0),
  ]);
  return [['bound', 'conns', 'req/s', 'p50', 'p99', 'us/req'], ...rows];
}

function sessionRows(sessions: readonly SessionSummary[]): Row[] {
  const head = ['kind', 'operations', 'ours/s', 'p50', 'p99', 'errors', 'ratio', 'us/op'];
  const rows = sessions.map((each) => [
    each.kind,
    whole(each.operations),
    whole(each.perSecond),
    fixed(each.p50Ms, 2),
    fixed(each.p99Ms, 2),
    whole(each.errors),
    fixed(each.ratio, 2),
    fixed(each.cpuUsPerOperation, 1),
  ]);
  return [head, ...rows];
}

function systemCells({ perSecond, p50Ms, p90Ms, p99Ms, p999Ms, errors }: SystemSummary): string[] {
  const latencies = [p50Ms, p90Ms, p99Ms, p999Ms].map((ms) => fixed(ms, 2));
  return [whole(perSecond), ...latencies, whole(errors)];
}

function rowsPerPutRows(puts: readonly SeriesSummary[]): Row[] {
  const members = puts[0]?.rowsPerPut.map(({ member }) => member) ?? [];
  const rows = puts.map(({ connections, rowsPerPut }) => [
    'put',
    String(connections),
    ...rowsPerPut.map((entry) => fixed(entry.rowsPerPut, 3)),
  ]);
  return [['kind', 'conns', ...members], ...rows];
}

function cpuRows(list: readonly SeriesSummary[]): Row[] {
  const names = (of: 'ours' | 'etcd'): string[] =>
    Object.keys(list[0]?.[of]?.cpuShare ?? {}).sort();
  // A system whose processes are not known, or that is not there, has no columns.
  const systems = (['ours', 'etcd'] as const).filter((of) => names(of).length > 0);
  const head = systems.flatMap((of) => [...names(of), `${of} us/req`]);
  const rows = list.map((item) => [
    item.kind,
    String(item.connections),
    ...systems.flatMap((of) => [
      ...names(of).map((name) => fixed(item[of]?.cpuShare[name], 2)),
      fixed(item[of]?.cpuUsPerRequest, 0),
    ]),
  ]);
  return [['kind', 'conns', ...head], ...rows];
}

function whole(value: number): string {
  return String(Math.round(value));
}

function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}

/** Columns as wide as their widest cell, numbers to the right. */
export function renderRows(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  return rows
    .map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  '))
    .join('\n');
}
