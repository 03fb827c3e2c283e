import { once } from 'node:events';
import { Output } from './output.ts';
import { proxyHelp, readProxyOptions } from './proxy/options.ts';
import { ProxyServer } from './proxy/server.ts';
import { run } from './run.ts';

/** Runs a proxy until a signal. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const options = readProxyOptions(argv, process.env);
  const output = new Output('info');
  if (options === null) {
    output.line(proxyHelp());
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  const stopped = once(stop.signal, 'abort');
  const server = await ProxyServer.open(options, output);
  const urls = options.listen.map(({ host, port }) => `${host}:${port}`).join(', ');
  output.line(`proxy is ready: ${options.isReadonly ? 'reads' : 'all requests'} on ${urls}`);
  if (!stop.signal.aborted) await stopped;
  output.line('stopping …');
  await server.close();
  return 0;
}

await run(main);
