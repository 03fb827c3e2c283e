/**
 * On whose behalf something is read or done. A command of the log is a caller too: it carries these
 * fields, so that every member comes to the same decision at the same place.
 */
export interface Caller {
  /** Empty: nobody in particular. With authentication on it may do nothing. */
  readonly username: string;
  /** The revision of users, roles and permissions by which the name was found out. */
  readonly authRevision: bigint;
  /** The member itself, on business of its own. */
  readonly internal: boolean;
}

/** A client that did not say who it is. */
export const NOBODY: Caller = { username: '', authRevision: 0n, internal: false };

/** A member on business of its own: publishing its name, ending what has expired. */
export const INTERNAL: Caller = { username: '', authRevision: 0n, internal: true };
