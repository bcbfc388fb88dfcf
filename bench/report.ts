import { type Case, cases } from "./cases.ts";
import type { Row } from "./contest.ts";
import type { Spread } from "./statistics.ts";

const nameWidth = Math.max(...cases.map((known) => known.name.length));

/** A column of the table: its title, and how to fill it. */
const columns: readonly {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row) => string;
}[] = [
  { title: "flags", width: 7, cell: (row) => hexadecimal(row.setupFlags) },
  { title: "C", width: 7, cell: (row) => millions(row.c) },
  { title: "TypeScript", width: 10, cell: (row) => millions(row.typescript) },
  {
    title: "ratio",
    width: 5,
    cell: (row) => row.ratio === null ? "-" : short(row.ratio.median, 3),
  },
  { title: "min..max", width: 10, cell: (row) => range(row.ratio) },
  { title: "target", width: 7, cell: target },
  { title: "fio", width: 7, cell: (row) => millions(row.fio) },
  {
    title: "to fio",
    width: 6,
    cell: (row) => row.ratioToFio?.median.toFixed(3) ?? "-",
  },
];

function millions(rate: Spread | null): string {
  if (rate === null) return "-";
  const value = rate.median / 1e6;
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(3);
}

/** With so many digits behind the point, but none where there are three before it. */
function short(ratio: number, digits: number): string {
  return ratio.toFixed(ratio < 100 ? digits : 0);
}

function range(ratio: Spread | null): string {
  if (ratio === null) return "-";
  return `${short(ratio.min, 2)}..${short(ratio.max, 2)}`;
}

function target(row: Row): string {
  if (row.ratio === null) return row.target.toFixed(2);
  const met = row.ratio.median >= row.target;
  return `${row.target.toFixed(2)} ${met ? "ok" : "no"}`;
}

/** `0x3000` for 12288. */
function hexadecimal(flags: number): string {
  return `0x${flags.toString(16)}`;
}

/** The table's first line. Rates are in million operations a second. */
export function headingLine(): string {
  const titles = columns.map(({ title, width }) => title.padStart(width));
  return ["M/s".padEnd(nameWidth), ...titles].join("  ");
}

/** The line of a case that ran, with its notes below. */
export function rowLine(row: Row): string {
  const cells = columns.map(({ cell, width }) => cell(row).padStart(width));
  const line = [row.name.padEnd(nameWidth), ...cells].join("  ");
  return [line, ...row.notes.map((note) => `  ^ ${note}`)].join("\n");
}

/** The line of a case that could not run. */
export function failedLine(measured: Case, reason: string): string {
  return `${measured.name.padEnd(nameWidth)}  did not run: ${reason}`;
}
