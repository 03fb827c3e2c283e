import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StartError, systemCode } from './error.ts';

export const HOST = '127.0.0.1';
const portMax = 65_535;
/** etcd's Procfile uses 2379, 22379 and 32379; the pattern goes on from there. */
const offsets = [0, 20_000, 30_000, 40_000, 50_000];

/**
 * The client ports of `size` members. Where the Procfile's pattern does not fit below 65536, the
 * ports follow one another instead.
 * @throws StartError when not even that fits
 */
export function planPorts(first: number, size: number): number[] {
  const spread = offsets.slice(0, size).map((offset) => first + offset);
  if (spread.length === size && spread.every((port) => port <= portMax)) return spread;
  if (first + size - 1 > portMax) {
    throw new StartError(
      `${size} ports from ${first} do not fit below ${portMax + 1}; choose a lower --port`,
    );
  }
  return Array.from({ length: size }, (_, i) => first + i);
}

/**
 * The ports at which members themselves listen, beside those of clients: etcd's is the next one,
 * 2380. Where the clients' ports follow one another, so do these behind them.
 * @throws StartError when they do not fit
 */
export function planPeerPorts(ports: readonly number[]): number[] {
  const isDense = ports.some((port) => ports.includes(port + 1));
  const planned = ports.map((port) => port + (isDense ? ports.length : 1));
  if (planned.every((port) => port <= portMax)) return planned;
  throw new StartError(
    `the members' own ports, ${planned.join(', ')}, do not fit below ${portMax + 1}; ` +
      'choose a lower --port, or --grpc=false, which needs none',
  );
}

/** Whether nobody listens there now. */
export function portIsFree(port: number, host: string = HOST): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (systemCode(error) === 'EADDRINUSE') resolve(false);
      else reject(new StartError(`cannot listen on ${host}:${port}: ${error.message}`));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Free ports are looked for among so many, from the first one on. */
const quiet = { first: 10_000, count: 10_000 };
const triesMax = 100;

/**
 * A port at which nobody listens, by chance. Not one that the system would choose: any connection
 * of this machine may be given that before somebody listens there, and whenever nobody does, as
 * while a member is started again.
 * @throws StartError when there seems to be none
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = quiet.first + randomInt(quiet.count);
    if (await portIsFree(port)) return port;
  }
  const last = quiet.first + quiet.count - 1;
  throw new StartError(`found no free port between ${quiet.first} and ${last}`);
}
