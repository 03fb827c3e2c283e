/**
 * The version of the state's rows, and of snapshots, which are made of them. It rises with every
 * change that another release would read wrongly.
 *
 * 2: the number of keys, the entry of the last change of members, generations of leases, what the
 * checksum over outcomes covers.
 */
export const STATE_SCHEMA_VERSION = 2;
