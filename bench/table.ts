import type { MachineFacts } from './machine.ts';
import type { SeriesSummary, SystemSummary } from './summary.ts';

type Row = readonly string[];

/** Everything that was found out, as text. */
export function renderReport(facts: MachineFacts, list: readonly SeriesSummary[]): string {
  const puts = list.filter(({ kind }) => kind === 'put');
  const parts = [
    renderFacts(facts),
    "Rates are medians of the rounds, the ratio is the median of the rounds' ratios; latencies in ms",
    renderRows(rateRows(list)),
    'Rows written per put, by member',
    renderRows(rowsPerPutRows(puts)),
    'CPU: seconds used in a second of load, by member; microseconds of all members for a request',
    renderRows(cpuRows(list)),
  ];
  return parts.join('\n\n');
}

function renderFacts(facts: MachineFacts): string {
  return [
    `${facts.cores} cores (${facts.processor}), ${facts.memoryGiB} GiB, load ${facts.loadBefore}`,
    `node ${facts.node}, workerd ${facts.workerd}, etcd ${facts.etcd}`,
    `load generator: ${facts.generator}`,
  ].join('\n');
}

function rateRows(list: readonly SeriesSummary[]): Row[] {
  const head = ['kind', 'conns', 'ours/s', 'etcd/s', 'ratio'];
  const latencies = ['p50', 'p90', 'p99', 'p99.9'];
  const both = (['ours', 'etcd'] as const).flatMap((name) => [
    ...latencies.map((label) => `${name} ${label}`),
  ]);
  const rows = list.map(({ kind, connections, ours, etcd, ratio }) => [
    kind,
    String(connections),
    whole(ours.perSecond),
    whole(etcd?.perSecond),
    fixed(ratio, 2),
    ...latencyCells(ours),
    ...latencyCells(etcd),
    whole(ours.errors),
    whole(etcd?.errors),
  ]);
  return [[...head, ...both, 'ours errors', 'etcd errors'], ...rows];
}

function latencyCells(summary: SystemSummary | null): string[] {
  const { p50Ms, p90Ms, p99Ms, p999Ms } = summary ?? {};
  return [p50Ms, p90Ms, p99Ms, p999Ms].map((ms) => fixed(ms, 2));
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
  const [first] = list;
  const names = (summary: SystemSummary | null | undefined): string[] =>
    Object.keys(summary?.cpuShare ?? {}).sort();
  const [ours, etcd] = [names(first?.ours), names(first?.etcd)];
  const rows = list.map((item) => [
    item.kind,
    String(item.connections),
    ...ours.map((name) => fixed(item.ours.cpuShare[name], 2)),
    fixed(item.ours.cpuUsPerRequest, 0),
    ...etcd.map((name) => fixed(item.etcd?.cpuShare[name], 2)),
    fixed(item.etcd?.cpuUsPerRequest, 0),
  ]);
  return [['kind', 'conns', ...ours, 'ours us/req', ...etcd, 'etcd us/req'], ...rows];
}

function whole(value: number | undefined): string {
  return value === undefined ? '-' : String(Math.round(value));
}

function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}

/** Columns as wide as their widest cell, numbers to the right. */
function renderRows(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  return rows
    .map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  '))
    .join('\n');
}
