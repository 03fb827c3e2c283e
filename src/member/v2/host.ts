import type { RuntimeHost } from '../runtime.ts';
import type { Route, ServiceHost } from '../services/index.ts';

/** What the v2 API needs of its member. */
export interface V2Host
  extends Pick<
    ServiceHost,
    | 'node'
    | 'machine'
    | 'identity'
    | 'settings'
    | 'lessor'
    | 'upkeep'
    | 'clock'
    | 'authentication'
    | 'proposeOwn'
    | 'linearizable'
  > {
  /** The methods of v3: members are the same ones. */
  readonly routes: ReadonlyMap<string, Route>;
}

/** What it needs of the object around the member. */
export type V2Platform = Pick<RuntimeHost, 'soon' | 'peerStats' | 'bugs'>;
