import { V2Error } from './error.ts';

/** The answer to who has no right to something, or did not say who it is. */
export function insufficientCredentials(): V2Error {
  return new V2Error(110, 'Insufficient credentials', 0);
}
