/**
 * Plots of rate and latency over time. By Apache ECharts, which is fetched when a plot is asked
 * for and not before: it draws to text, without a browser.
 *
 * @module
 */

import type { Line } from "./report.ts";

/** Computed, so that nothing of it is fetched, or type-checked, by who draws nothing. */
const ECHARTS = ["npm:echarts", "6.1.0"].join("@");

/** The part of ECharts that is used here. */
interface Echarts {
  init(
    element: null,
    theme: null,
    options: { renderer: "svg"; ssr: true; width: number; height: number },
  ): {
    setOption(option: unknown): void;
    renderToSVGString(): string;
    dispose(): void;
  };
}

/** What was measured, under a name. */
export interface Curve {
  /** What it is called. */
  readonly name: string;
  /** Its lines, in order of time. */
  readonly lines: readonly Line[];
}

const SIZE = { width: 1000, height: 640 };

/** An SVG with two plots: I/Os a second, and latencies on a logarithmic scale. */
export async function drawSvg(
  title: string,
  curves: readonly Curve[],
): Promise<string> {
  const echarts: Echarts = await import(ECHARTS);
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    ...SIZE,
  });
  try {
    chart.setOption(option(title, curves));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function option(title: string, curves: readonly Curve[]): unknown {
  const axis = (index: number, name: string) => ({
    type: "value",
    gridIndex: index,
    name,
    nameLocation: "middle",
    nameGap: 28,
    min: 0,
  });
  return {
    animation: false,
    backgroundColor: "#fff",
    title: { text: title, left: 20, top: 8, textStyle: { fontSize: 14 } },
    legend: { top: 34, type: "scroll" },
    grid: [
      { left: 90, right: 30, top: 80, height: 210 },
      { left: 90, right: 30, top: 360, height: 210 },
    ],
    xAxis: [axis(0, "seconds"), axis(1, "seconds")],
    yAxis: [
      { type: "value", gridIndex: 0, name: "IOPS", min: 0 },
      { type: "log", gridIndex: 1, name: "latency, µs" },
    ],
    series: curves.flatMap((curve) => series(curve, curves.length > 1)),
  };
}

function series({ name, lines }: Curve, several: boolean): unknown[] {
  const prefix = several ? `${name}: ` : "";
  const line = (label: string, axis: number, of: (line: Line) => unknown) => ({
    type: "line",
    name: prefix + label,
    xAxisIndex: axis,
    yAxisIndex: axis,
    showSymbol: lines.length < 30,
    data: lines.map((line) => [line.at, of(line)]),
  });
  return [
    line("IOPS", 0, ({ iops }) => iops),
    line("p50", 1, ({ p50 }) => p50),
    line("p99", 1, ({ p99 }) => p99),
    line("p99.9", 1, ({ p999 }) => p999),
  ];
}

/** A page with the plots, and the report as it was printed. */
export function htmlPage(title: string, svg: string, report: string): string {
  const text = (raw: string) =>
    raw.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${text(title)}</title>
<style>body { font-family: sans-serif; max-width: 1040px; margin: 2em auto }</style>
<h1>${text(title)}</h1>
${svg}
<pre>${text(report)}</pre>
</html>
`;
}
