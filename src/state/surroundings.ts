import { limits } from '../config.ts';

/** What the state machine is told of the member around it. Its answers never depend on it. */
export interface Surroundings {
  /** Memory for summaries of versions: see {@link VersionIndex}. */
  readonly versionIndexBytesMax: number;
  /** Whether whoever is told of changes wants to know what was before them. */
  readonly previousWanted: () => boolean;
}

/** Of a machine that nobody says anything to. */
export const NO_SURROUNDINGS: Surroundings = {
  versionIndexBytesMax: limits.versionIndexBytesMax,
  previousWanted: () => true,
};
