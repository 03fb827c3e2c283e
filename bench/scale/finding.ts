/** One line of the report: what was measured, and what came out. */
export interface Finding {
  readonly what: string;
  readonly value: string;
}

/** Memory of each member before and after, and the difference. */
export function memoryFindings(
  what: string,
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Finding[] {
  return Object.entries(after).map(([member, now]) => {
    const then = before[member] ?? 0;
    const growth = now - then;
    const sign = growth < 0 ? '-' : '+';
    return {
      what: `${what}: memory of ${member}`,
      value: `${then.toFixed(0)} -> ${now.toFixed(0)} MiB (${sign}${Math.abs(growth).toFixed(0)})`,
    };
  });
}

export function renderFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings.map(({ what, value }) => `${what.padEnd(width)}  ${value}`).join('\n');
}
