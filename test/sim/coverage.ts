/**
 * What a run can do to a cluster, or see it do. A fault that never bites tests nothing: every kind
 * is counted.
 */
export const COVERAGE_KINDS = [
  'messagesLost',
  'responsesLost',
  'messagesDuplicated',
  'messagesOvertaken',
  'partitionsSymmetric',
  'partitionsOneWay',
  'partitionsPartial',
  'messagesCut',
  'crashes',
  'crashesInsideTurn',
  'crashesLosingTransactions',
  'crashesOfWholeCluster',
  'transactionsDurableButUnconfirmed',
  'syncFailures',
  'pauses',
  'instancesSuperseded',
  'messagesToSuperseded',
  'zombiesThatSent',
  'zombiesThatReachedStorage',
  'zombiesUnfenced',
  'messagesOfUnfencedZombies',
  'messagesOfSlowKinds',
  'slowDisks',
  'wallClockJumps',
  'elections',
  'leadersDeposed',
  'readsAtStaleLeaders',
  'transfersRequested',
  'conflictingEntriesTruncated',
  'logCompactions',
  'snapshotsSent',
  'snapshotsInstalled',
  'snapshotTransfersFailed',
  'duplicateCommandsDropped',
  'commandsForwarded',
  'storeCompactions',
  'compactedReads',
  'txnsSucceeded',
  'txnsFailed',
  'leasesRevoked',
  'leasesRenewed',
  'rightsChanged',
  'requestsDenied',
  'requestsOfOldRevision',
  'locksGranted',
  'leasesExpired',
  'expiriesVoid',
  'watchesCreated',
  'watchesInFuture',
  'watchesResumed',
  'watchesCanceled',
  'watchesCompacted',
  'watchEvents',
  'watchEventsOfSlowReaders',
  'watchProgress',
  'watchStreamsLost',
  'watchStreamsHibernated',
  'treeChanges',
  'treeRefusals',
  'treeExpiries',
  'treeReads',
  'treeEvents',
  'linearizableReads',
  'serializableReads',
  'readsRefused',
  'writesAcknowledged',
  'writesUnknown',
  'configurationsChanged',
  'learnersAdded',
  'learnersPromoted',
  'votersAdded',
  'membersRemoved',
  'leadersRemoved',
  'removedIdsTried',
  'removedMembersRefused',
  'disksLost',
  'rebuildsCompared',
  'quiesced',
] as const;
export type CoverageKind = (typeof COVERAGE_KINDS)[number];

/** Counts by kind, summed over runs. */
export class Coverage {
  readonly #counts = new Map<CoverageKind, number>();

  add(kind: CoverageKind, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }

  of(kind: CoverageKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  merge(other: Coverage): void {
    for (const [kind, count] of other.#counts) this.add(kind, count);
  }

  /** Kinds that never happened. */
  missing(): CoverageKind[] {
    return COVERAGE_KINDS.filter((kind) => this.of(kind) === 0);
  }

  table(): string {
    return COVERAGE_KINDS.map((kind) => `${kind.padEnd(36)}${this.of(kind)}`).join('\n');
  }
}
