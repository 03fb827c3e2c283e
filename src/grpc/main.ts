import { once } from 'node:events';
import { messageOf } from '../lib/error.ts';
import { Bridge } from './bridge.ts';
import { ProxyUsageError, readProxyCommandLine } from './command-line.ts';
import { Endpoints } from './endpoints.ts';
import { ProxyPages } from './proxy_pages.ts';
import { SessionUpstream } from './session_upstream.ts';

/** Serves gRPC for a cluster until a signal. */
async function main(argv: readonly string[]): Promise<void> {
  const options = readProxyCommandLine(argv);
  if (options === null) return;
  const { host, port, tls } = options;
  const endpoints = new Endpoints(options.endpoints);
  const pages: ProxyPages = new ProxyPages(endpoints, () => bridge.metrics.render());
  const bridge: Bridge = new Bridge({
    host,
    port,
    tls,
    upstream: new SessionUpstream(endpoints),
    http1: (socket) => pages.connected(socket),
    isHealthy: () => pages.isHealthy(),
  });
  await bridge.listen();
  console.log(`gRPC at ${host}:${port}, for ${options.endpoints.join(', ')}`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  bridge.close();
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  console.error(`edgetcd: ${messageOf(error)}`);
  process.exit(error instanceof ProxyUsageError ? 2 : 1);
}
