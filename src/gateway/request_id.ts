import { limits } from '../config.ts';

export const REQUEST_ID_HEADER = 'X-Request-Id';

/** Letters, digits and what stands between them in ids: nothing that a log could misread. */
const ID = new RegExp(`^[\\w.:/+=@-]{1,${limits.requestIdCharsMax}}$`);

/** The id that a client gave to its request; null: none, or one that is no id. */
export function givenRequestId(headers: Headers): string | null {
  const id = headers.get(REQUEST_ID_HEADER);
  return id !== null && ID.test(id) ? id : null;
}
