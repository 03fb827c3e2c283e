import { must } from '../../src/lib/assert.ts';

type Json = Record<string, unknown>;

/** A node of v2, as far as tests look at it. */
export interface V2Node {
  readonly key: string;
  readonly value?: string;
  readonly dir?: boolean;
  readonly nodes?: readonly V2Node[];
  readonly modifiedIndex: number;
  readonly createdIndex: number;
}

export interface V2Answer {
  readonly status: number;
  /** X-Etcd-Index. */
  readonly index: number;
  readonly action: string;
  readonly node: V2Node;
  /** 0: it is no error. */
  readonly errorCode: number;
  readonly json: Json;
}

/** One request to the v2 API at one member. A network error, and a 5xx, is thrown. */
export async function v2(
  url: string,
  method: string,
  path: string,
  form: Readonly<Record<string, string | number | boolean>> = {},
  options: { readonly user?: string; readonly timeoutMs?: number } = {},
): Promise<V2Answer> {
  const fields = new URLSearchParams(
    Object.entries(form).map(([name, value]) => [name, String(value)]),
  );
  const hasBody = method === 'PUT' || method === 'POST';
  const query = hasBody || fields.size === 0 ? '' : `?${fields}`;
  const { user, timeoutMs = 8_000 } = options;
  const response = await fetch(`${url}/v2/keys${path}${query}`, {
    method,
    ...(hasBody ? { body: fields } : {}),
    headers: user === undefined ? {} : { authorization: `Basic ${btoa(user)}` },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  if (response.status >= 500) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  const json = (text === '' ? {} : JSON.parse(text)) as Json;
  return {
    status: response.status,
    index: Number(must(response.headers.get('x-etcd-index'), 'every answer has an index')),
    action: String(json['action'] ?? ''),
    node: (json['node'] ?? {}) as V2Node,
    errorCode: Number(json['errorCode'] ?? 0),
    json,
  };
}

/** All files below a path, by key, as that member has them. */
export async function filesAt(url: string, path: string): Promise<Record<string, string>> {
  const { node } = await v2(url, 'GET', path, { recursive: true, quorum: true });
  const files: Record<string, string> = {};
  const visit = ({ key, value, nodes = [] }: V2Node) => {
    if (value !== undefined) files[key] = value;
    for (const inside of nodes) visit(inside);
  };
  visit(node);
  return files;
}
