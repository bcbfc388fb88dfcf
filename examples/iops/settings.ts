/**
 * What is measured, and which of it cannot go together.
 *
 * @module
 */

/** What an I/O does. */
export type Operation = "read" | "write" | "mix" | "nop";

/** One way of doing I/O: what a line of figures is of. Plain data: it is sent to Workers. */
export interface Settings {
  /** How many I/Os are in flight, for each thread. */
  depth: number;
  /** How many are submitted at a time, at most. */
  batch: number;
  /** How many completions a system call waits for. */
  complete: number;
  /** Bytes of an I/O. */
  block: number;
  /** Whether offsets are random, or one after the other. */
  random: boolean;
  /** How often each block is used, in all; 0: until the time is over. */
  passes: number;
  /** What is done. */
  operation: Operation;
  /** Of a mix, the share of reads, 0 to 1. */
  reads: number;
  /** Whether files are opened with O_DIRECT. */
  direct: boolean;
  /** Whether buffered reads ask the page cache first, and count hits. */
  hits: boolean;
  /** IOPOLL. */
  polled: boolean;
  /** IOPOLL that sleeps first. */
  hybrid: boolean;
  /** Registered buffers. */
  fixedBuffers: boolean;
  /** Registered files. */
  fixedFiles: boolean;
  /** Whether the ring's descriptor is registered; null: once the ring proves busy. */
  registeredRing: boolean | null;
  /** Whether completions are left until the program waits for them (DEFER_TASKRUN). */
  deferred: boolean;
  /** SQPOLL. */
  sqpoll: boolean;
  /** The CPU of its thread; -1: any. */
  sqpollCpu: number;
  /** How long its thread spins, in milliseconds. */
  idle: number;
  /** Whether the rings of all threads share its thread, and the workers. */
  share: boolean;
  /** Whether every I/O goes to the kernel's workers. */
  workers: boolean;
  /** How many of them; 0: as many as the kernel likes. */
  workerCount: number;
  /** How many threads of this program do I/O. */
  threads: number;
  /** Whether I/O goes through `Uring`, a promise for each. */
  promises: boolean;
  /** What random offsets begin with. */
  seed: number;
}

/** What is measured unless something else is asked for. */
export const DEFAULTS: Settings = {
  depth: 128,
  batch: 32,
  complete: 32,
  block: 4096,
  random: true,
  passes: 0,
  operation: "read",
  reads: 0.7,
  direct: false,
  hits: true,
  polled: false,
  hybrid: false,
  fixedBuffers: false,
  fixedFiles: false,
  registeredRing: null,
  deferred: true,
  sqpoll: false,
  sqpollCpu: -1,
  idle: 100,
  share: false,
  workers: false,
  workerCount: 0,
  threads: 1,
  promises: false,
  seed: 1,
};

/** A mistake of the user's: its message is all that is printed. */
export class Refusal extends Error {
  override name = "Refusal";
}

/** Combinations that the kernel would refuse with a bare EINVAL, or that mean nothing: why. */
export function checkSettings(settings: Settings): Settings {
  const { operation, direct, polled, sqpoll, depth } = settings;
  const refuse = (when: boolean, why: string): void => {
    if (when) throw new Refusal(why);
  };
  refuse(
    polled && operation === "nop",
    "--polled asks a device for completions, and --nop uses none",
  );
  refuse(
    polled && !direct,
    "--polled needs --direct: the page cache has no device to ask, and the kernel polls only " +
      "for files opened with O_DIRECT",
  );
  refuse(
    settings.hybrid && !polled,
    "--hybrid is a way of polling: it needs --polled --direct",
  );
  refuse(
    settings.workers && polled,
    "--workers and --polled exclude each other: a worker would poll for one I/O at a time",
  );
  refuse(
    settings.sqpollCpu >= 0 && !sqpoll,
    "the CPU of the SQPOLL thread (IORING_SETUP_SQ_AFF) needs --sqpoll",
  );
  refuse(
    settings.share && settings.threads < 2,
    "--share is for several rings: it needs --threads of 2 or more",
  );
  refuse(
    settings.passes > 0 && settings.threads > 1,
    "--passes goes through a file once by one thread: it needs --threads 1",
  );
  refuse(
    settings.passes > 0 && operation === "nop",
    "--passes goes through files, and --nop uses none",
  );
  refuse(
    settings.batch > depth || settings.complete > depth,
    `--batch (${settings.batch}) and --complete (${settings.complete}) can be no more than ` +
      `--depth (${depth})`,
  );
  refuse(
    settings.fixedBuffers && depth * settings.block > 2 ** 30,
    `--fixed-buffers registers --depth times --block bytes, ${
      depth * settings.block
    }: the kernel takes 1 GiB at most`,
  );
  return settings;
}

/** Whether I/Os ask the page cache first. Who is a worker has nobody to ask: it waits. */
export function asksCache(settings: Settings): boolean {
  const { hits, direct, operation, workers } = settings;
  return hits && !direct && operation === "read" && !workers;
}
