import { UsageError } from './error.ts';

/** Where a process listens. */
export interface Listener {
  readonly host: string;
  readonly port: number;
}

/**
 * The list of --listen-client-urls or --listen-peer-urls, with etcd's rules: a scheme, an address
 * of this machine (a name could lead elsewhere) and a port. @throws UsageError
 */
export function readListenUrls(text: string, flag: string): Listener[] {
  return text.split(',').map((item) => listenerOf(item.trim(), flag));
}

/** Equal ones once: clients and peers may share an address. */
export function distinctListeners(listeners: readonly Listener[]): Listener[] {
  return [...new Map(listeners.map((at) => [`${at.host} ${at.port}`, at])).values()];
}

/** Where this machine itself reaches a listener: one on all addresses is on loopback too. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** On every address of this machine. */
export function isOnAll(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

export function isLoopback(host: string): boolean {
  return host === '::1' || /^127(\.\d+){3}$/.test(host);
}

export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function listenerOf(text: string, flag: string): Listener {
  const [, scheme, host = '', port] =
    /^(\w+):\/\/(\[[\da-fA-F:.]+\]|[^\s/?#@:[\]]+):(\d{1,5})\/?$/.exec(text) ?? [];
  if (scheme === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new UsageError(`${flag} must be like http://127.0.0.1:2379, not "${text}"`);
  }
  if (scheme !== 'http') {
    throw new UsageError(`${flag}: ${text}: TLS is for a proxy in front to end; listen on http`);
  }
  const address = host === 'localhost' ? '127.0.0.1' : host.replace(/^\[|\]$/g, '');
  if (!address.includes(':') && !/^\d+(\.\d+){3}$/.test(address)) {
    throw new UsageError(`expected IP in URL for binding (${text})`);
  }
  return { host: address, port: Number(port) };
}
