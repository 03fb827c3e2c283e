/** Paths of the v2 tree: `/1/a/b`. They are clean: no empty segments, no slash at the end. */

/** Below which clients' keys are, and what v2's own users and roles are kept in. */
export const KEYS_ROOT = '/1';
export const AUTH_ROOT = '/2';

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** Directories on the way to the path, the outermost first, the path itself not among them. */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/', 1); at >= 0; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}

export function isHiddenName(path: string): boolean {
  return path.startsWith('_', path.lastIndexOf('/') + 1);
}

/** Whether something hidden lies on the way from a watched path down to the key. */
export function isHiddenFrom(watched: string, key: string): boolean {
  // Of a directory that goes, watchers below it are told too.
  return watched.length <= key.length && key.slice(watched.length).includes('/_');
}

export function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}
