/**
 * `a=1,b=2` as etcd writes lists of members: pairs in order, names unique. Null for a text that is
 * not of that form.
 */
export function parsePairs(
  text: string,
): readonly (readonly [name: string, value: string])[] | null {
  const pairs = new Map<string, string>();
  for (const item of text.split(',')) {
    const [, name, value] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(item) ?? [];
    if (name === undefined || value === undefined || pairs.has(name)) return null;
    pairs.set(name, value);
  }
  return [...pairs];
}
