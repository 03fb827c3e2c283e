import type { Kind } from './options.ts';
import type { SeriesSummary, SystemSummary } from './summary.ts';

/** One line of a panel: a system's runs in the order of their connections. */
interface Line {
  readonly name: string;
  readonly color: string;
  readonly points: readonly Point[];
}

interface Point {
  readonly connections: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const TITLES: Readonly<Record<Kind, string>> = {
  put: 'put',
  get: 'linearizable get',
  ser: 'serializable get',
};

const panel = { width: 300, height: 240, left: 52, top: 34, right: 14, bottom: 44 } as const;
const colors = { ours: '#d9480f', etcd: '#1864ab' } as const;

/**
 * Throughput against latency, a panel for each kind of request: what is further right does more,
 * what is further down does it sooner. The line is the median, the whisker reaches to the 99th
 * percentile; both axes are logarithmic.
 */
export function renderChart(list: readonly SeriesSummary[]): string {
  const kinds = [...new Set(list.map(({ kind }) => kind))];
  const panels = kinds.map((kind, i) => {
    const lines = linesOf(list.filter((each) => each.kind === kind));
    return `<g transform="translate(${i * panel.width} 0)">${renderPanel(TITLES[kind], lines)}</g>`;
  });
  const width = kinds.length * panel.width;
  const size = `width="${width}" height="${panel.height}" viewBox="0 0 ${width} ${panel.height}"`;
  const title = '<title>Throughput and latency of edgetcd and etcd</title>';
  const style = 'font: 11px sans-serif; background: white';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} style="${style}">${title}${panels.join('')}</svg>\n`;
}

function linesOf(series: readonly SeriesSummary[]): Line[] {
  const line = (name: 'ours' | 'etcd'): Line => ({
    name: name === 'ours' ? 'edgetcd' : 'etcd',
    color: colors[name],
    points: series.flatMap((each) => pointOf(each.connections, each[name])),
  });
  return [line('ours'), line('etcd')].filter(({ points }) => points.length > 0);
}

function pointOf(connections: number, system: SystemSummary | null): Point[] {
  if (system === null || system.p50Ms === null || system.p99Ms === null) return [];
  const { perSecond, p50Ms, p99Ms } = system;
  return perSecond > 0 && p50Ms > 0 ? [{ connections, perSecond, p50Ms, p99Ms }] : [];
}

function renderPanel(title: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const x = axis(
    points.map(({ perSecond }) => perSecond),
    panel.left,
    panel.width - panel.right,
  );
  const latencies = points.flatMap(({ p50Ms, p99Ms }) => [p50Ms, p99Ms]);
  const y = axis(latencies, panel.height - panel.bottom, panel.top);
  const parts = [
    text(panel.left, 18, title, 'start', 'font-weight="bold"'),
    ...x.ticks.map((tick) => verticalTick(x.at(tick), tick)),
    ...y.ticks.map((tick) => horizontalTick(y.at(tick), tick)),
    text((panel.left + panel.width - panel.right) / 2, panel.height - 8, 'requests a second'),
    ...lines.map((line) => renderLine(line, x.at, y.at)),
    ...lines.map(({ name, color }, i) =>
      text(panel.width - panel.right - 50 * i, 18, name, 'end', `fill="${color}"`),
    ),
  ];
  return parts.join('');
}

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** From the power of ten below the least to the one above the greatest. */
function axis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const at = (value: number) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
  return { ticks, at };
}

function verticalTick(x: number, value: number): string {
  const { top, height, bottom } = panel;
  const label = text(x, height - bottom + 14, value >= 1_000 ? `${value / 1_000}k` : `${value}`);
  return `<path d="M${round(x)} ${top}V${height - bottom}" stroke="#ddd"/>${label}`;
}

function horizontalTick(y: number, value: number): string {
  const { left, width, right } = panel;
  const label = text(left - 5, y + 4, `${value} ms`, 'end');
  return `<path d="M${left} ${round(y)}H${width - right}" stroke="#ddd"/>${label}`;
}

function renderLine({ color, points }: Line, x: Axis['at'], y: Axis['at']): string {
  const at = (point: Point) => `${round(x(point.perSecond))} ${round(y(point.p50Ms))}`;
  const path = `<path d="M${points.map(at).join('L')}" fill="none" stroke="${color}"/>`;
  const marks = points.map((point) => {
    const [cx, cy] = [x(point.perSecond), y(point.p50Ms)];
    const whisker = `<path d="M${round(cx)} ${round(cy)}V${round(y(point.p99Ms))}" stroke="${color}" stroke-opacity="0.4"/>`;
    const dot = `<circle cx="${round(cx)}" cy="${round(cy)}" r="3" fill="${color}"/>`;
    return (
      whisker + dot + text(cx + 5, cy + 12, `${point.connections}`, 'start', `fill="${color}"`)
    );
  });
  return path + marks.join('');
}

function text(x: number, y: number, content: string, anchor = 'middle', more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" ${more}>${content}</text>`;
}

function round(value: number): string {
  return value.toFixed(1);
}
