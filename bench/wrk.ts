import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../src/lib/assert.ts';
import { Latencies } from './latencies.ts';
import { type LoadGenerator, type LoadResult, type Share, sharesOf } from './load.ts';
import { prepareRequests } from './requests.ts';

const script = fileURLToPath(new URL('wrk.lua', import.meta.url));

/** Beyond it wrk counts a request as lost and leaves it out of the latencies. */
const timeoutSeconds = 10;

/** What one process found out. */
interface Part {
  readonly durationUs: number;
  readonly requests: number;
  readonly errors: number;
  readonly latencies: Latencies;
}

/** The wrk on the PATH, or null. One process of one thread for every endpoint, all at once. */
export function findWrk(): LoadGenerator | null {
  // wrk -v prints its version and usage and ends with 1.
  const { stdout, error } = spawnSync('wrk', ['-v'], { encoding: 'utf8' });
  if (error !== undefined) return null;
  const name = /^wrk \S+/.exec(stdout)?.[0] ?? 'wrk';
  return { name, run };
}

const run: LoadGenerator['run'] = async (spec, signal) => {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-wrk-'));
  try {
    const parts = await Promise.all(
      sharesOf(spec).map(async (share, i) => {
        const { path, bodies } = prepareRequests(spec, i + 1);
        const file = join(directory, `${i}.txt`);
        writeFileSync(file, `${bodies.join('\n')}\n`);
        return readPart(await runWrk(share, spec.seconds, [path, file], signal));
      }),
    );
    return sum(parts);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

function sum(parts: readonly Part[]): LoadResult {
  const latencies = new Latencies();
  for (const part of parts) latencies.add(part.latencies);
  return {
    perSecond: parts.reduce((all, part) => all + part.requests / (part.durationUs / 1e6), 0),
    requests: parts.reduce((all, { requests }) => all + requests, 0),
    errors: parts.reduce((all, { errors }) => all + errors, 0),
    latencies,
  };
}

/** @returns what it wrote */
function runWrk(
  { url, connections }: Share,
  seconds: number,
  scriptArgs: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, `--timeout=${timeoutSeconds}s`];
  const args = [...flags, '-s', script, url, '--', ...scriptArgs];
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', args, { signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const collect = (chunk: Buffer): void => {
      text += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`wrk ended with ${code} at ${url}: ${text.trim()}`));
    });
  });
}

/** The lines that wrk.lua wrote. */
function readPart(text: string): Part {
  const result = must(/^result (\d+) (\d+) (\d+) (\d+)$/m.exec(text), `wrk's result: ${text}`);
  const [durationUs = 0, answers = 0, refused = 0, lost = 0] = result.slice(1).map(Number);
  const latencies = new Latencies();
  const points = /^latency (.*)$/m.exec(text)?.[1] ?? '';
  for (const point of answers > 0 ? points.split(' ') : []) {
    const [percent = 0, us = 0] = point.split(':').map(Number);
    latencies.record(us, (answers * percent) / 100);
  }
  return { durationUs, requests: answers - refused, errors: refused + lost, latencies };
}
