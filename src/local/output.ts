import { styleText } from 'node:util';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';

/** What a terminal is, as far as it matters here. */
export interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * What the supervisor shows: its own lines on standard output, the members' lines with their names
 * on standard error. Colours only on a terminal.
 */
export class Output {
  private readonly out: Sink;
  private readonly err: Sink;
  private readonly level: LogLevel;

  constructor(level: LogLevel, out: Sink = process.stdout, err: Sink = process.stderr) {
    this.level = level;
    this.out = out;
    this.err = err;
  }

  line(text = ''): void {
    this.out.write(`${text}\n`);
  }

  /** Something the operator should look at. */
  warning(text: string): void {
    this.out.write(`${this.style('yellow', text, this.out)}\n`);
  }

  error(text: string): void {
    this.err.write(`${this.style('red', text, this.err)}\n`);
  }

  heading(text: string): void {
    this.out.write(`${this.style('bold', text, this.out)}\n`);
  }

  /** A line of a member's process, if its level is wanted. */
  memberLine(member: string, stream: 'stdout' | 'stderr', line: string): void {
    const level = lineLevel(stream, line);
    if (level === null || logLevels.indexOf(level) < logLevels.indexOf(this.level)) return;
    const prefix = this.style('dim', `${member} |`, this.err);
    const style = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : null;
    this.err.write(`${prefix} ${style === null ? line : this.style(style, line, this.err)}\n`);
  }

  /** Columns as wide as their widest cell. */
  table(rows: readonly (readonly string[])[]): void {
    const widths =
      rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
    rows.forEach((row, i) => {
      const text = row
        .map((cell, j) => cell.padEnd(widths[j] ?? 0))
        .join('  ')
        .trimEnd();
      if (i === 0) this.out.write(`${this.style('dim', text, this.out)}\n`);
      else this.line(text);
    });
  }

  private style(style: Style, text: string, sink: Sink): string {
    if (sink.isTTY !== true || process.env['NO_COLOR'] !== undefined) return text;
    return styleText(style, text);
  }
}

/**
 * The level of a line, or null for what only a developer of workerd wants to see. Members begin a
 * line with its level (or, as etcd, log JSON with one); else standard error is a warning.
 */
export function lineLevel(stream: 'stdout' | 'stderr', line: string): LogLevel | null {
  if (line.trim() === '' || isRuntimeNoise(line)) return null;
  const named =
    /^\{.*?"level":"(debug|info|warn|error)"/.exec(line) ??
    /^\[?(debug|info|warn|error)\b/i.exec(line) ??
    // workerd itself: "workerd/server/server.c++:123: warning: …"
    /^[\w/.+-]+:\d+: (info|warn|error)/.exec(line);
  const name = named?.[1]?.toLowerCase();
  return logLevels.find((level) => level === name) ?? (stream === 'stdout' ? 'info' : 'warn');
}

/** Native stack addresses, and what a peer that is gone or has no address leaves in every log. */
function isRuntimeNoise(line: string): boolean {
  return (
    /^stack: [\da-f@ /.+\w-]+(; \w+ = .*)?$/.test(line) ||
    line.includes('LLVM_SYMBOLIZER') ||
    /(disconnected|Connection reset by peer|Broken pipe|DNS lookup failed)/i.test(line)
  );
}
