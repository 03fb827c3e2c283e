import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { builtinGenerator } from '../bench/builtin.ts';
import { Latencies } from '../bench/latencies.ts';
import { sharesOf } from '../bench/load.ts';
import { readOptions, UsageError } from '../bench/options.ts';
import { parseResponse } from '../bench/response.ts';
import { growth, rowsPerPut } from '../bench/rows.ts';
import { memoryFindings, renderFindings } from '../bench/scale/finding.ts';
import { countOf } from '../bench/scale/watch_stream.ts';
import { median } from '../bench/summary.ts';

const base = { kind: 'put', seconds: 1, keys: 10, valueBytes: 8 } as const;

describe('the response parser', () => {
  const withLength = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
  const chunked =
    'HTTP/1.1 503 Oh\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
    '5\r\nhello\r\n1a;ext\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n';

  it('finds the end of an answer, and needs all of it', () => {
    for (const [text, status] of [[withLength, 200] as const, [chunked, 503] as const]) {
      for (let length = 0; length < text.length; length++) {
        expect(parseResponse(Buffer.from(text.slice(0, length)))).toBeNull();
      }
      const followed = Buffer.from(text + withLength);
      expect(parseResponse(followed)).toMatchObject({ status, end: text.length });
    }
  });

  it('sees that the server closes the connection', () => {
    expect(parseResponse(Buffer.from(withLength))?.closes).toBe(false);
    expect(parseResponse(Buffer.from(chunked))?.closes).toBe(true);
  });

  it('refuses what is not HTTP', () => {
    expect(() => parseResponse(Buffer.from('SSH-2.0\r\n\r\n'))).toThrow();
  });
});

describe('latencies', () => {
  it('have percentiles right to two percent, from microseconds to minutes', () => {
    for (const scale of [1, 1_000, 60_000]) {
      const latencies = new Latencies();
      for (let i = 1; i <= 1_000; i++) latencies.record(i * scale);
      for (const percent of [50, 90, 99, 99.9]) {
        const exact = (percent * 10 * scale) / 1_000;
        const ratio = (latencies.percentileMs(percent) ?? 0) / exact;
        expect(Math.abs(ratio - 1)).toBeLessThan(0.02);
      }
    }
  });

  it('add up', () => {
    const [one, two] = [new Latencies(), new Latencies()];
    one.record(10, 3);
    two.record(5_000);
    one.add(two);
    expect(one.total).toBe(4);
    expect(one.percentileMs(75)).toBe(0.01);
    expect(one.percentileMs(100)).toBeCloseTo(5, 1);
    expect(new Latencies().percentileMs(50)).toBeNull();
  });
});

describe('the command line', () => {
  it('has defaults and takes lists', () => {
    const options = readOptions(['--connections', '1,8', '--kinds', 'get', '--no-etcd']);
    expect(options).toMatchObject({ connections: [1, 8], kinds: ['get'], rival: 'never' });
    expect(options).toMatchObject({ target: null, seconds: 4, rounds: 3, keys: 10_000 });
    expect(readOptions(['--help'])).toBeNull();
  });

  it('measures at scale when asked', () => {
    const { scale } = readOptions(['--scale', '--parts', 'leases,keys']) ?? {};
    expect(scale).toMatchObject({ parts: ['leases', 'keys'], leases: 100_000, keys: 1_000_000 });
  });

  it.each([
    ['--seconds', '0'],
    ['--kinds', 'delete'],
    ['--target', 'localhost:2379'],
    ['--vs-etcd', '--no-etcd'],
    ['--unknown'],
    ['--scale', '--parts=keys,locks'],
    ['--scale', '--scale-keys=9'],
  ])('refuses %s %s', (...argv) => {
    expect(() => readOptions(argv)).toThrow(UsageError);
  });
});

it('spreads connections over the endpoints, the rest over the first', () => {
  const endpoints = ['a', 'b', 'c'];
  const counts = (connections: number): number[] =>
    sharesOf({ ...base, endpoints, connections }).map((share) => share.connections);
  expect(counts(64)).toEqual([22, 21, 21]);
  expect(counts(1)).toEqual([1]);
});

it('counts rows per put by member, and nothing across a restart', () => {
  const before = new Map([
    ['m1', { rows: 100, puts: 50 }],
    ['m2', { rows: 100, puts: 50 }],
    ['m3', null],
  ]);
  const after = new Map([
    ['m1', { rows: 130, puts: 70 }],
    ['m2', { rows: 3, puts: 1 }],
    ['m3', null],
  ]);
  expect(rowsPerPut([growth(before, after)])).toEqual([
    { member: 'm1', rowsPerPut: 1.5 },
    { member: 'm2', rowsPerPut: null },
    { member: 'm3', rowsPerPut: null },
  ]);
});

it('counts what is cut in two by the end of a piece once', () => {
  const text = 'x"kv":{..."kv":{.';
  for (let cut = 0; cut <= text.length; cut++) {
    for (const kept of [5, 13]) {
      const known = text.slice(Math.max(0, cut - kept), cut);
      const first = countOf(text.slice(0, cut), '"kv":{', 0);
      expect(first + countOf(known + text.slice(cut), '"kv":{', known.length)).toBe(2);
    }
  }
});

it('tells memory before and after, and the difference', () => {
  const findings = memoryFindings('load', { m1: 100.4, m2: 90 }, { m1: 120.6, m2: 80 });
  expect(renderFindings(findings)).toBe(
    'load: memory of m1  100 -> 121 MiB (+20)\nload: memory of m2  90 -> 80 MiB (-10)',
  );
});

it('takes medians of odd and even numbers of rounds', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

describe('the built-in generator', () => {
  async function load(listener: RequestListener) {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const endpoints = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    const spec = { ...base, endpoints, connections: 3 };
    try {
      return await builtinGenerator.run(spec, new AbortController().signal);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('counts the answers that succeeded', async () => {
    const seen = { requests: 0, bodies: new Set<string>() };
    const result = await load((request, response) => {
      seen.requests++;
      request.on('data', (chunk) => seen.bodies.add(String(chunk)));
      request.on('end', () => response.end('{}'));
    });
    expect(result.errors).toBe(0);
    expect(result.requests).toBeGreaterThan(0);
    // What was under way at the end is no request that succeeded: at most one for a connection.
    expect(seen.requests - result.requests).toBeLessThanOrEqual(3);
    expect(result.latencies.total).toBe(result.requests);
    expect([...seen.bodies].every((body) => /^\{"key":".+","value":".+"\}$/.test(body))).toBe(true);
  });

  it('counts refusals as errors and goes on after a lost connection', async () => {
    let n = 0;
    const result = await load((request, response) => {
      n++;
      if (n % 3 === 0) request.socket.destroy();
      else response.writeHead(n % 3 === 1 ? 200 : 503).end();
    });
    expect(result.requests).toBeGreaterThan(3);
    expect(result.errors).toBeGreaterThan(3);
  });
});
