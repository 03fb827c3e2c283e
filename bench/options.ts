import { parseArgs } from 'node:util';

/** What is asked of the servers: a put, a linearizable get, or a serializable get. */
export const kinds = ['put', 'get', 'ser'] as const;
export type Kind = (typeof kinds)[number];

/** Whether an etcd runs beside us: as one is found, always, or never. */
export type Rival = 'if-found' | 'always' | 'never';

export interface Options {
  /** Endpoints of a cluster that runs already; null: a cluster of our own is started. */
  readonly target: readonly string[] | null;
  readonly rival: Rival;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: readonly number[];
  readonly kinds: readonly Kind[];
  readonly keys: number;
  readonly valueBytes: number;
  readonly json: string | null;
  /** Loads sessions, too. */
  readonly sessions: boolean;
  /** And puts by gRPC. */
  readonly grpc: boolean;
  /** And what the runtime takes where it does nothing for us. */
  readonly bounds: boolean;
  /** A file for a chart of throughput against latency. */
  readonly chart: string | null;
  /** Puts at full load for so long instead of the usual comparison; null: the comparison. */
  readonly minutes: number | null;
  /** Leaves wrk alone even where it is installed. */
  readonly builtin: boolean;
  /** null: the usual comparison instead. */
  readonly scale: ScaleOptions | null;
}

/** The parts of `--scale`. */
export const scaleParts = ['watchers', 'delivery', 'leases', 'keys'] as const;
export type ScalePart = (typeof scaleParts)[number];

/** How much of everything `--scale` takes. */
export interface ScaleOptions {
  readonly parts: readonly ScalePart[];
  readonly watchers: number;
  readonly watchesPerStream: number;
  readonly deliveryWatchers: number;
  readonly leases: number;
  readonly fewKeys: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly seconds: number;
}

/** The command line is wrong: shown without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const help = `npm run bench -- [flags]

Loads a three-member cluster over etcd's JSON gateway, in turns with a three-member etcd where one
is installed (A B A B ...), and prints rates, their ratio, latencies, and rows written per put. Then
the same over sessions, against the best that etcd's gateway has done.

  --target URL[,URL...]   a cluster that runs already (default: one is started and removed)
  --vs-etcd | --no-etcd   insist on an etcd beside it, or do without (default: if it is on the PATH)
  --seconds N             length of one run (default: 4)
  --rounds N              runs of each kind and number of connections (default: 3)
  --connections N[,N...]  over all endpoints together (default: 1,64,256)
  --kinds KIND[,KIND...]  put, get (linearizable), ser (serializable get) (default: put,get,ser)
  --keys N                keys drawn from (default: 10000)
  --value-bytes N         size of a value (default: 256)
  --json FILE             also writes everything as JSON
  --chart FILE            also draws throughput against latency, as SVG
  --bounds                also the runtime's own limit: an empty Worker, an empty object, a row,
                          another process, a row in three processes
  --no-sessions           without the part about sessions, which etcd does not have
  --no-grpc               without the part about puts by gRPC
  --builtin               the built-in load generator even where wrk is installed
  --help                  this text

npm run bench -- --minutes N [flags]  puts by 64 connections for so long: the rate, and the memory of
                                      each process, minute by minute

npm run bench -- --scale [flags]      measures what many of something cost, one cluster for each part

  --parts PART[,PART...]  watchers (idle ones), delivery (many watchers of one key), leases, keys
                          (default: all)
  --watchers N            idle watchers per member (default: 5000)
  --watches-per-stream N  of the idle ones; 1: as many streams as watchers (default: 5)
  --delivery-watchers N   watchers of one key (default: 1000)
  --leases N              leases (default: 100000)
  --scale-keys N          keys, against 10000 of them (default: 1000000)
  --seconds, --value-bytes, --builtin   as above

The servers and the load share the machine: quote the ratios, not the rates.`;

/** What many keys are compared with. */
const scaleFewKeys = 10_000;

const flags = {
  target: { type: 'string' },
  'vs-etcd': { type: 'boolean', default: false },
  'no-etcd': { type: 'boolean', default: false },
  seconds: { type: 'string', default: '4' },
  rounds: { type: 'string', default: '3' },
  connections: { type: 'string', default: '1,64,256' },
  kinds: { type: 'string', default: 'put,get,ser' },
  keys: { type: 'string', default: '10000' },
  'value-bytes': { type: 'string', default: '256' },
  json: { type: 'string' },
  'no-sessions': { type: 'boolean', default: false },
  'no-grpc': { type: 'boolean', default: false },
  bounds: { type: 'boolean', default: false },
  chart: { type: 'string' },
  minutes: { type: 'string' },
  builtin: { type: 'boolean', default: false },
  scale: { type: 'boolean', default: false },
  parts: { type: 'string', default: scaleParts.join(',') },
  watchers: { type: 'string', default: '5000' },
  'watches-per-stream': { type: 'string', default: '5' },
  'delivery-watchers': { type: 'string', default: '1000' },
  leases: { type: 'string', default: '100000' },
  'scale-keys': { type: 'string', default: '1000000' },
  help: { type: 'boolean', default: false },
} as const;

/**
 * Reads the command line.
 * @returns null when it asks for help
 * @throws UsageError
 */
export function readOptions(argv: readonly string[]): Options | null {
  const values = parse(argv);
  if (values.help) return null;
  if (values['vs-etcd'] && values['no-etcd']) {
    throw new UsageError('--vs-etcd and --no-etcd exclude each other');
  }
  return {
    target: values.target === undefined ? null : list(values.target).map(endpoint),
    rival: values['vs-etcd'] ? 'always' : values['no-etcd'] ? 'never' : 'if-found',
    seconds: intIn(values.seconds, 1, 3_600, '--seconds'),
    rounds: intIn(values.rounds, 1, 1_000, '--rounds'),
    connections: list(values.connections).map((text) => intIn(text, 1, 10_000, '--connections')),
    kinds: list(values.kinds).map(kind),
    keys: intIn(values.keys, 1, 10_000_000, '--keys'),
    valueBytes: intIn(values['value-bytes'], 0, 1_000_000, '--value-bytes'),
    json: values.json ?? null,
    sessions: !values['no-sessions'],
    grpc: !values['no-grpc'] && list(values.kinds).includes('put'),
    bounds: values.bounds,
    chart: values.chart ?? null,
    minutes: values.minutes === undefined ? null : intIn(values.minutes, 1, 1_440, '--minutes'),
    builtin: values.builtin,
    scale: values.scale ? scaleOptions(values) : null,
  };
}

function scaleOptions(values: ReturnType<typeof parse>): ScaleOptions {
  return {
    parts: list(values.parts).map(scalePart),
    watchers: intIn(values.watchers, 1, 20_000, '--watchers'),
    watchesPerStream: intIn(values['watches-per-stream'], 1, 4_000, '--watches-per-stream'),
    deliveryWatchers: intIn(values['delivery-watchers'], 1, 4_000, '--delivery-watchers'),
    leases: intIn(values.leases, 1, 1_000_000, '--leases'),
    fewKeys: scaleFewKeys,
    keys: intIn(values['scale-keys'], scaleFewKeys + 1, 10_000_000, '--scale-keys'),
    valueBytes: intIn(values['value-bytes'], 0, 4_096, '--value-bytes'),
    seconds: intIn(values.seconds, 1, 3_600, '--seconds'),
  };
}

function scalePart(text: string): ScalePart {
  const known = scaleParts.find((name) => name === text);
  if (known !== undefined) return known;
  throw new UsageError(`--parts are ${scaleParts.join(', ')}, not "${text}"`);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function list(text: string): string[] {
  return text.split(',').map((item) => item.trim());
}

function endpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:') return url.origin;
  throw new UsageError(`--target takes http URLs, not "${text}"`);
}

function kind(text: string): Kind {
  const known = kinds.find((name) => name === text);
  if (known !== undefined) return known;
  throw new UsageError(`--kinds are ${kinds.join(', ')}, not "${text}"`);
}

function intIn(text: string, low: number, high: number, flag: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new UsageError(`${flag} takes a number from ${low} to ${high}, not "${text}"`);
}
