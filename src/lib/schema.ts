/**
 * Why rows of that layout are left alone, in words for the operator; null: they are our own.
 * Whoever reads other rows as his own loses data.
 */
export function schemaMismatch(found: number, known: number): string | null {
  if (found === known) return null;
  const isOlder = found < known;
  const way = isOlder
    ? 'go back to that release; to move on, copy its keys through the API to a new cluster'
    : 'run that release, or a later one';
  const versions = `schema version ${found}, this one knows ${known}`;
  return `the data was written by ${isOlder ? 'an earlier' : 'a later'} release (${versions}): ${way}`;
}
