import { writeFileSync } from 'node:fs';
import { must } from '../src/lib/assert.ts';
import { messageOf, StartError } from '../src/local/error.ts';
import { measureBounds } from './bounds/bounds.ts';
import { builtinGenerator } from './builtin.ts';
import { renderChart } from './chart.ts';
import { startCluster } from './cluster.ts';
import { etcdVersion, startEtcd } from './etcd.ts';
import { fill } from './fill.ts';
import { measureGrpc } from './grpc/grpc_series.ts';
import { machineFacts } from './machine.ts';
import { type Bench, measureAll } from './measure.ts';
import { help, type Options, readOptions, UsageError } from './options.ts';
import { renderFindings } from './scale/finding.ts';
import { measureScale } from './scale/scale.ts';
import { measureSessions } from './session/session_series.ts';
import { summarize } from './summary.ts';
import { measureSustained } from './sustained.ts';
import { runningSystem, type System } from './system.ts';
import { type Report, renderFacts, renderReport } from './table.ts';
import { findWrk } from './wrk.ts';

/** Compilers and caches are warm after it; what it measures is thrown away. */
const warmUp = { seconds: 2, connections: 16 };
/**
 * npm passes a terminal's Ctrl-C on, so that one arrives twice: a second one comes later than this.
 */
const sameCtrlCMs = 300;

async function main(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const options = readOptions(argv);
  if (options === null) return console.log(help);
  const etcd = options.rival === 'never' ? null : etcdVersion();
  if (etcd === null && options.rival === 'always') throw new UsageError('etcd is not on the PATH');
  const generator = (options.builtin ? null : findWrk()) ?? builtinGenerator;
  const facts = machineFacts(etcd, generator);
  if (options.scale !== null) {
    const findings = await measureScale(options.scale, generator, signal, progress);
    console.log(`\n${renderFacts(facts)}\n\n${renderFindings(findings)}`);
    if (options.json !== null) writeJson(options.json, { facts, options, findings });
    return;
  }
  if (options.minutes !== null) {
    const table = await measureSustained(options, options.minutes, generator, signal, progress);
    return console.log(`\n${renderFacts(facts)}\n\n${table}`);
  }
  const systems: System[] = [];
  try {
    progress(`load by ${generator.name}`);
    await startSystems(systems, options, etcd !== null, signal);
    const bench: Bench = { systems, generator, options, signal, progress };
    for (const system of systems) await prepare(bench, system);
    const series = await measureAll(bench);
    const results = series.map((item) => summarize(item, options.seconds));
    const sessions = options.sessions ? await measureSessions(bench, results) : [];
    const grpc = options.grpc ? await measureGrpc(bench) : [];
    const bounds = options.bounds ? await measureBounds(bench) : [];
    const report: Report = { facts, results, sessions, grpc, bounds };
    console.log(`\n${renderReport(report)}`);
    if (options.json !== null) writeJson(options.json, { options, ...report });
    if (options.chart !== null) write(options.chart, renderChart(results));
  } finally {
    await Promise.all(systems.map((system) => system.stop()));
  }
}

/** Adds them as they come up, so that the caller can stop the first where the second fails. */
async function startSystems(
  systems: System[],
  options: Options,
  withEtcd: boolean,
  signal: AbortSignal,
): Promise<void> {
  progress(options.target === null ? 'starting a cluster of three' : 'waiting for the target');
  const { target } = options;
  systems.push(await (target === null ? startCluster(signal) : runningSystem(target, signal)));
  if (!withEtcd) return;
  progress('starting an etcd of three');
  systems.push(await startEtcd(signal));
}

async function prepare({ options, generator, signal }: Bench, system: System): Promise<void> {
  progress(`${system.name}: ${options.keys} keys and warm-up`);
  const endpoints = system.members.map(({ url }) => url);
  await fill(must(endpoints[0], 'a system has a member'), options, signal);
  const seconds = Math.min(warmUp.seconds, options.seconds);
  for (const kind of options.kinds) {
    await generator.run({ ...options, ...warmUp, seconds, endpoints, kind }, signal);
  }
}

function writeJson(path: string, value: unknown): void {
  write(path, `${JSON.stringify(value, null, 2)}\n`);
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  progress(`written to ${path}`);
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}

/**
 * The first signal stops in good order; a second Ctrl-C does not wait: children are killed on exit.
 */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  let firstMs: number | null = null;
  const onSignal = (name: NodeJS.Signals): void => {
    if (firstMs === null) {
      firstMs = performance.now();
      progress(`${name}: stopping ...`);
      controller.abort();
    } else if (name === 'SIGINT' && performance.now() - firstMs > sameCtrlCMs) {
      process.exit(130);
    }
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return controller.signal;
}

const signal = abortOnSignals();
try {
  await main(process.argv.slice(2), signal);
  process.exit(0);
} catch (error) {
  if (signal.aborted) process.exit(130);
  const known = error instanceof UsageError || error instanceof StartError;
  console.error(known ? `bench: ${messageOf(error)}` : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
