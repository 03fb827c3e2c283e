import { MetaTable } from '../storage/meta.ts';
import type { Sql } from '../storage/sql.ts';

/**
 * An object that is woken by its alarm, as after a restart of everything, is not told by what name
 * it is known. So it writes the name down when it is, and looks there.
 */
const NAME = 'objectName';

export function rememberName(meta: MetaTable, name: string): void {
  if (meta.text(NAME) === null) meta.set(NAME, name);
}

/** Empty: it has never been called by its name. */
export function rememberedName(sql: Sql): string {
  return new MetaTable(sql).text(NAME) ?? '';
}
