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

/** A port at which nobody listens, chosen by the system. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: HOST, port: 0 }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
