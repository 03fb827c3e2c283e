export type Pairs = readonly (readonly [name: string, value: string])[];

/**
 * `a=1,b=2` as etcd writes lists of members: pairs in order, names unique. Null for a text that is
 * not of that form.
 */
export function parsePairs(text: string): Pairs | null {
  const pairs = readPairs(text);
  return typeof pairs === 'string' ? null : pairs;
}

/** The same, or what is wrong with the text, in words. */
export function readPairs(text: string): Pairs | string {
  const pairs = new Map<string, string>();
  for (const item of text.split(',')) {
    const [, name, value] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(item) ?? [];
    if (name === undefined || value === undefined) return `"${item}" is not name=value`;
    if (pairs.has(name)) return `${name} is there twice`;
    pairs.set(name, value);
  }
  return [...pairs];
}
