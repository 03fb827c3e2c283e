import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { cac } from 'cac';
import { messageOf } from '../lib/error.ts';

/** What `grpc-proxy` was asked for. */
export interface ProxyOptions {
  readonly endpoints: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly tls: TlsOptions | null;
}

/** The command line is wrong: shown without a stack, exit code 2. */
export class ProxyUsageError extends Error {
  override readonly name = 'ProxyUsageError';
}

const DEFAULT_LISTEN = '127.0.0.1:2379';

/**
 * Reads the command line, under the names of `etcd grpc-proxy start`.
 * @returns null when it asked for help, which has been printed then
 * @throws ProxyUsageError
 */
export function readProxyCommandLine(argv: readonly string[]): ProxyOptions | null {
  const cli = cac('npm run grpc-proxy --');
  cli
    .command('[start]', 'Serve gRPC for a cluster that is reached over HTTP')
    .option('--endpoints <urls>', 'The cluster, or its members, separated by commas')
    .option('--listen <address>', 'Where clients connect to', { default: DEFAULT_LISTEN })
    .option('--cert-file <file>', "The listener's certificate: clients connect by TLS")
    .option('--key-file <file>', 'Its key')
    .option('--trusted-ca-file <file>', 'Clients have to show a certificate that it has signed')
    .usage('--endpoints <urls> [flags]')
    .example('npm run grpc-proxy -- --endpoints https://etcd.example.workers.dev')
    .example('etcdctl put foo bar');
  cli.help((sections) => sections.filter(({ title }) => title !== 'Commands'));
  try {
    const { options, args } = cli.parse(['node', 'edgetcd', ...argv], { run: false });
    if (options['help'] === true) return null;
    const extra = args.find((arg, i) => i > 0 || arg !== 'start');
    if (extra !== undefined) throw new ProxyUsageError(`unexpected argument "${extra}"`);
    cli.matchedCommand?.checkUnknownOptions();
    cli.matchedCommand?.checkOptionValue();
    const text = (name: string) => (options[name] === undefined ? null : String(options[name]));
    return {
      endpoints: endpointsOf(text('endpoints') ?? ''),
      ...addressOf(text('listen') ?? ''),
      tls: tlsOf(text('certFile'), text('keyFile'), text('trustedCaFile')),
    };
  } catch (error) {
    throw new ProxyUsageError(`${messageOf(error)}\nnpm run grpc-proxy -- --help lists the flags`);
  }
}

/** As etcdctl takes them: a host and a port without a scheme will do. */
function endpointsOf(text: string): string[] {
  return text.split(',').map((part) => {
    const whole = /^[a-z]+:\/\//.test(part) ? part : `http://${part}`;
    if (!/^https?:/.test(whole) || !URL.canParse(whole)) {
      throw new ProxyUsageError(`--endpoints must be URLs of HTTP, separated by commas: "${part}"`);
    }
    return new URL(whole).origin;
  });
}

function addressOf(text: string): { host: string; port: number } {
  const match = /^(?:(.*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? Number.NaN);
  if (!(port <= 65_535)) {
    throw new ProxyUsageError(`--listen must be host:port, not "${text}"`);
  }
  const host = (match?.[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  return { host, port };
}

function tlsOf(cert: string | null, key: string | null, ca: string | null): TlsOptions | null {
  if (cert === null && key === null && ca === null) return null;
  if (cert === null || key === null) {
    throw new ProxyUsageError('TLS takes both --cert-file and --key-file');
  }
  const clients = ca === null ? {} : { ca: fileText(ca), requestCert: true };
  return { cert: fileText(cert), key: fileText(key), minVersion: 'TLSv1.2', ...clients };
}

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ProxyUsageError(messageOf(error));
  }
}
