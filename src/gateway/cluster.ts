import type { MemberRpc } from '../api/call.ts';
import { assert, must } from '../lib/assert.ts';
import type { MemberNamespace, Settings } from './env.ts';
import { nearestMember } from './placement.ts';

/** The name of a member's object in the namespace. */
export function objectName(cluster: string, member: string): string {
  return `${cluster}/${member}`;
}

/**
 * The members of this deployment and which to ask first. What it learns is a hint: a wrong one
 * costs a hop, because every member takes every request.
 */
export class Cluster {
  readonly #namespace: MemberNamespace;
  readonly #settings: Settings;
  /** The leader last heard of, or the member after one that could not be reached. */
  #preferred: string;

  constructor(namespace: MemberNamespace, settings: Settings) {
    this.#namespace = namespace;
    this.#settings = settings;
    this.#preferred = must(settings.members[0], 'a cluster has a member');
  }

  /** Where writes go first, and reads when no member is known to be near. */
  get preferred(): string {
    return this.#preferred;
  }

  has(member: string): boolean {
    return this.#settings.members.includes(member);
  }

  /** The member to read from: near to the client where that is known. */
  nearest(continent: string | undefined): string {
    return nearestMember(this.#settings.locations, continent) ?? this.#preferred;
  }

  /** The member to try when those were of no use; null when all were tried. */
  another(tried: readonly string[]): string | null {
    if (!tried.includes(this.#preferred)) return this.#preferred;
    return this.#settings.members.find((member) => !tried.includes(member)) ?? null;
  }

  /** Takes note of a reply's hint. One that names a member elsewhere says nothing about here. */
  learn(leader: string | null): void {
    if (leader !== null && leader !== this.#preferred && this.has(leader)) this.#preferred = leader;
  }

  /** Takes note that a member could not be reached: the next write starts at another. */
  failed(member: string): void {
    if (member !== this.#preferred) return;
    const { members } = this.#settings;
    const next = (members.indexOf(member) + 1) % members.length;
    this.#preferred = must(members[next], 'a cluster has a member');
  }

  /**
   * A new stub for every call: one that has seen its object reset repeats that error for ever.
   * The location is obeyed only when the object is created.
   */
  stub(member: string): MemberRpc {
    assert(this.has(member), `not a member of this deployment: ${member}`);
    const name = objectName(this.#settings.cluster, member);
    const locationHint = this.#settings.locations.get(member);
    return locationHint === undefined
      ? this.#namespace.getByName(name)
      : this.#namespace.getByName(name, { locationHint });
  }
}
