import type { MemberHint, MemberRpc } from '../api/call.ts';
import { assert, must } from '../lib/assert.ts';
import type { MemberNamespace, Settings } from './env.ts';
import { isLocation, type Location, nearestMember } from './placement.ts';

/** The name of a member's object in the namespace. */
export function objectName(cluster: string, member: string): string {
  return `${cluster}/${member}`;
}

/** How long a list of members is good enough to refuse a name that is not on it. */
const REFRESH_MS = 1_000;

/** What a reply says about the cluster beside its answer. */
export interface ClusterHints {
  readonly leader: string | null;
  readonly members?: readonly MemberHint[];
}

/**
 * The members of this deployment and which to ask first. What it learns is a hint: a wrong one
 * costs a hop, because every member takes every request. Who the members are is what variables say
 * until a member says otherwise: the variables do not change when one is added or removed.
 */
export class Cluster {
  readonly #namespace: MemberNamespace;
  readonly #settings: Settings;
  /** Those that take requests, never empty. */
  #members: readonly string[];
  /** Those that take only what is meant for them. */
  #learners: readonly string[] = [];
  #locations: ReadonlyMap<string, Location>;
  /** What was last said about them. */
  #hints: readonly MemberHint[] = [];
  /** The leader last heard of, or the member after one that could not be reached. */
  #preferred: string;
  #refreshedMs: number | null = null;

  constructor(namespace: MemberNamespace, settings: Settings) {
    this.#namespace = namespace;
    this.#settings = settings;
    this.#members = settings.members;
    this.#locations = settings.locations;
    this.#preferred = must(settings.members[0], 'a cluster has a member');
  }

  /** Where writes go first, and reads when no member is known to be near. */
  get preferred(): string {
    return this.#preferred;
  }

  has(member: string): boolean {
    return this.#members.includes(member) || this.#learners.includes(member);
  }

  /** The member to read from: near to the client where that is known. */
  nearest(continent: string | undefined): string {
    const nearest = nearestMember(this.#locations, continent);
    return nearest !== null && this.#members.includes(nearest) ? nearest : this.#preferred;
  }

  /** The member to try when those were of no use; null when all were tried. */
  another(tried: readonly string[]): string | null {
    if (!tried.includes(this.#preferred)) return this.#preferred;
    return this.#members.find((member) => !tried.includes(member)) ?? null;
  }

  /** Takes note of a reply's hints. One that names a member elsewhere says nothing about here. */
  learn({ leader, members }: ClusterHints): void {
    if (members !== undefined) this.#follow(members);
    if (leader === null || leader === this.#preferred) return;
    if (this.#members.includes(leader)) this.#preferred = leader;
  }

  /** Takes note that a member could not be reached: the next write starts at another. */
  failed(member: string): void {
    if (member !== this.#preferred) return;
    const next = (this.#members.indexOf(member) + 1) % this.#members.length;
    this.#preferred = must(this.#members[next], 'a cluster has a member');
  }

  /** Whether there is such a member, if need be by asking the others. */
  async find(member: string): Promise<boolean> {
    if (this.has(member) || !this.#settings.whole) return this.has(member);
    const nowMs = Date.now();
    if (this.#refreshedMs !== null && nowMs - this.#refreshedMs < REFRESH_MS) return false;
    this.#refreshedMs = nowMs;
    try {
      const { status, body } = await this.stub(this.#preferred).inspect('/members', '');
      if (status === 200) this.#follow(JSON.parse(body) as readonly MemberHint[]);
    } catch {
      // It cannot be reached: nothing is known of the member in question.
    }
    return this.has(member);
  }

  /**
   * A new stub for every call: one that has seen its object reset repeats that error for ever.
   * The location is obeyed only when the object is created.
   */
  stub(member: string): MemberRpc {
    assert(this.has(member), `not a member of this deployment: ${member}`);
    const name = objectName(this.#settings.cluster, member);
    const locationHint = this.#locations.get(member);
    return locationHint === undefined
      ? this.#namespace.getByName(name)
      : this.#namespace.getByName(name, { locationHint });
  }

  #follow(members: readonly MemberHint[]): void {
    if (!this.#settings.whole || isSame(members, this.#hints)) return;
    const voters = members.filter(({ isLearner }) => !isLearner).map(({ name }) => name);
    // A member that has not heard of anybody knows nothing better than the variables.
    if (voters.length === 0) return;
    this.#hints = members;
    this.#members = voters;
    this.#learners = members.filter(({ isLearner }) => isLearner).map(({ name }) => name);
    this.#locations = locationsOf(members, this.#settings.locations);
    if (!voters.includes(this.#preferred)) {
      this.#preferred = must(voters[0], 'a cluster has a member');
    }
  }
}

/** With every reply the same is said again. */
function isSame(a: readonly MemberHint[], b: readonly MemberHint[]): boolean {
  const same = (x: MemberHint, y: MemberHint | undefined) =>
    x.name === y?.name && x.isLearner === y.isLearner && x.location === y.location;
  return a.length === b.length && a.every((hint, i) => same(hint, b[i]));
}

/** Where those members are: as they were added, else as the variables say. */
function locationsOf(
  members: readonly MemberHint[],
  configured: ReadonlyMap<string, Location>,
): ReadonlyMap<string, Location> {
  const locations = new Map<string, Location>();
  for (const { name, location } of members) {
    const known = location !== null && isLocation(location) ? location : configured.get(name);
    if (known !== undefined) locations.set(name, known);
  }
  return locations;
}
