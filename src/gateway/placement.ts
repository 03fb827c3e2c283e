/** Where Cloudflare can be asked to create an object. It obeys only at the object's first use. */
const LOCATIONS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const;
export type Location = (typeof LOCATIONS)[number];

/** Locations by the continent of a request's entry (request.cf.continent), nearest first. */
const NEAREST: Readonly<Record<string, readonly Location[]>> = {
  AF: ['afr', 'me', 'weur', 'eeur'],
  AN: ['oc', 'sam', 'afr', 'apac'],
  AS: ['apac', 'me', 'oc', 'eeur', 'weur', 'wnam'],
  EU: ['weur', 'eeur', 'me', 'afr', 'enam'],
  NA: ['enam', 'wnam', 'sam', 'weur'],
  OC: ['oc', 'apac', 'wnam'],
  SA: ['sam', 'enam', 'wnam', 'weur'],
};

export function isLocation(text: string): text is Location {
  return (LOCATIONS as readonly string[]).includes(text);
}

/** The member to read from for a client on that continent; null when nothing is known. */
export function nearestMember(
  locations: ReadonlyMap<string, Location>,
  continent: string | undefined,
): string | null {
  for (const wanted of NEAREST[continent ?? ''] ?? []) {
    for (const [member, location] of locations) if (location === wanted) return member;
  }
  return null;
}
