import type { System } from './system.ts';

const rowsWritten = 'edgetcd_storage_rows_written_total';
const putsApplied = 'etcd_mvcc_put_total';

/** What a member has counted since its start. */
export interface RowCounters {
  readonly rows: number;
  readonly puts: number;
}

/** Rows that one member wrote for each put it applied; null where that cannot be told. */
export interface RowsPerPut {
  readonly member: string;
  readonly rowsPerPut: number | null;
}

/** The counters of every member by name; null for one that does not export them, as an etcd. */
export async function readCounters(system: System): Promise<Map<string, RowCounters | null>> {
  const read = async (url: string): Promise<RowCounters | null> => {
    const response = await fetch(`${url}/metrics`).catch(() => null);
    if (response?.ok !== true) return null;
    const text = await response.text();
    const rows = sample(text, rowsWritten);
    const puts = sample(text, putsApplied);
    return rows === null || puts === null ? null : { rows, puts };
  };
  const entries = system.members.map(async ({ name, url }) => [name, await read(url)] as const);
  return new Map(await Promise.all(entries));
}

/** What was written between two readings. A member that started again in between has no answer. */
export function growth(
  before: ReadonlyMap<string, RowCounters | null>,
  after: ReadonlyMap<string, RowCounters | null>,
): Map<string, RowCounters | null> {
  const difference = (name: string, then: RowCounters | null): RowCounters | null => {
    const now = after.get(name) ?? null;
    if (then === null || now === null || now.rows < then.rows || now.puts < then.puts) return null;
    return { rows: now.rows - then.rows, puts: now.puts - then.puts };
  };
  return new Map([...before].map(([name, then]) => [name, difference(name, then)]));
}

/** Adds up the runs of one number of connections, in the order of the members' names. */
export function rowsPerPut(runs: readonly ReadonlyMap<string, RowCounters | null>[]): RowsPerPut[] {
  const names = [...new Set(runs.flatMap((run) => [...run.keys()]))].sort();
  return names.map((member) => {
    const counted = runs.map((run) => run.get(member) ?? null).filter((run) => run !== null);
    const rows = counted.reduce((sum, run) => sum + run.rows, 0);
    const puts = counted.reduce((sum, run) => sum + run.puts, 0);
    return { member, rowsPerPut: puts === 0 ? null : rows / puts };
  });
}

/** A sample without labels in the Prometheus text format. */
function sample(text: string, name: string): number | null {
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
