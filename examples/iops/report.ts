/**
 * Figures as people and programs read them.
 *
 * @module
 */

import { percentile } from "./histogram.ts";
import { asksCache, type Settings } from "./settings.ts";
import type { Stretch } from "./team.ts";

/** What is said of a stretch of time. */
export interface Line {
  /** When it ended, in seconds since the beginning. */
  readonly at: number;
  /** How long it was, in seconds. */
  readonly seconds: number;
  /** I/Os in that time. */
  readonly ios: number;
  /** I/Os a second. */
  readonly iops: number;
  /** Bytes a second. */
  readonly bandwidth: number;
  /** Calls of io_uring_enter(2). */
  readonly enters: number;
  /** I/Os for each of them; null where there was none. */
  readonly perCall: number | null;
  /** I/Os that the kernel had at the end. */
  readonly inFlight: number;
  /** Latencies in microseconds; null where nothing was timed. */
  readonly p50: number | null;
  /** What 99 % stayed below. */
  readonly p99: number | null;
  /** What 99.9 % stayed below. */
  readonly p999: number | null;
  /** The share of buffered reads that the page cache had; null where it was not asked. */
  readonly hitRate: number | null;
  /** What the SQPOLL threads took of a CPU; null where there is none, or nobody tells. */
  readonly sqThread: number | null;
}

/** The line of a stretch that ended `at` seconds after the beginning. */
export function lineOf(
  stretch: Stretch,
  at: number,
  settings: Settings,
): Line {
  const { seconds, ios, bytes, enters, inFlight, hits, misses } = stretch;
  const latency = (share: number) => {
    const value = percentile(stretch.latencies, share);
    return Number.isNaN(value) ? null : value;
  };
  return {
    at,
    seconds,
    ios,
    iops: ios / seconds,
    bandwidth: bytes / seconds,
    enters,
    perCall: enters === 0 ? null : ios / enters,
    inFlight,
    p50: latency(0.5),
    p99: latency(0.99),
    p999: latency(0.999),
    hitRate: asksCache(settings) && hits + misses > 0
      ? hits / (hits + misses)
      : null,
    sqThread: stretch.sqThreadShare ?? null,
  };
}

/** A line of text. */
export function textOf(line: Line): string {
  const { perCall, hitRate, sqThread } = line;
  const parts = [
    `${line.at.toFixed(1).padStart(6)} s`,
    `${grouped(line.iops).padStart(11)} IOPS`,
    `${amount(line.bandwidth).padStart(10)}/s`,
    `${perCall === null ? "no calls" : `${perCall.toFixed(1)} a call`}`
      .padStart(13),
    `${line.inFlight} in flight`.padStart(14),
    `p50 ${latency(line.p50)}  p99 ${latency(line.p99)}  p99.9 ${
      latency(line.p999)
    }`,
  ];
  if (hitRate !== null) parts.push(`hits ${percent(hitRate)}`);
  if (sqThread !== null) parts.push(`sqpoll ${percent(sqThread)} CPU`);
  return parts.join("  ");
}

/** `1 234 567`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en").replaceAll(",", " ");
}

/** `3.10 GiB`. */
export function amount(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : 2)} ${units[unit]}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `38.1 µs`, `1.20 ms` or `2.05 s`. */
export function latency(microseconds: number | null): string {
  if (microseconds === null) return "-";
  // With three digits 999.6 would become 1.00e+3.
  if (microseconds < 999.5) return `${microseconds.toPrecision(3)} µs`;
  const milliseconds = microseconds / 1000;
  if (milliseconds < 999.5) return `${milliseconds.toPrecision(3)} ms`;
  return `${(milliseconds / 1000).toPrecision(3)} s`;
}

/** A sentence of what is measured. */
export function describe(settings: Settings): string {
  const { operation, block, direct, random, depth, threads } = settings;
  const words: string[] = [];
  if (operation === "nop") words.push("NOPs");
  else {
    const reads = `${Math.round(100 * settings.reads)} % reads`;
    const what = { read: "reads", write: "writes", mix: `I/Os, ${reads}` };
    words.push(
      direct ? "O_DIRECT" : "buffered",
      random ? "random" : "sequential",
      `${amount(block)}`,
      what[operation],
    );
  }
  const how = [
    settings.promises
      ? `${depth} promises`
      : `${depth} in flight, ${settings.batch} a batch, ${settings.complete} waited for`,
  ];
  if (threads > 1) how.push(`${threads} threads`);
  if (settings.sqpoll) how.push(settings.share ? "SQPOLL, shared" : "SQPOLL");
  if (settings.polled) how.push(settings.hybrid ? "hybrid IOPOLL" : "IOPOLL");
  if (!settings.deferred) how.push("not deferred");
  if (settings.workers) {
    const { workerCount: count } = settings;
    how.push(count === 0 ? "by workers" : `by ${count} workers`);
  }
  if (settings.fixedBuffers) how.push("fixed buffers");
  if (settings.fixedFiles) how.push("fixed files");
  if (settings.registeredRing === true) how.push("registered ring");
  if (settings.registeredRing === false) how.push("ring not registered");
  return `${words.join(" ")}: ${how.join(", ")}`;
}
