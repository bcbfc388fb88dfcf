/** What the tests of io_uring_register(2) share. */

import { isSystemError, type Kernel, openKernel } from "../../../ffi/mod.ts";
import type { Backend } from "../../../ffi/mod.ts";
import {
  queryOpcodes,
  registerOpcodes,
  Ring,
  type Sqe,
} from "../../../ring/mod.ts";
import { TemporaryDirectory } from "../../support/files.ts";
import { ringKinds } from "../../support/rings.ts";
import { kernelSince } from "../../support/sockets.ts";

/** How many register opcodes the kernel says it has; undefined before Linux 6.18. */
function known(): number | undefined {
  try {
    return queryOpcodes().registerOpcodes;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Whether a version of Linux, `"6.13"`, is here or a later one. */
export function linux(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return kernelSince(major, minor);
}

/** Whether this kernel has a register opcode: it says so, or is new enough. */
export function hasRegister(opcode: number): boolean {
  const count = known();
  if (count !== undefined) return opcode < count;
  const entry = registerOpcodes[opcode];
  return entry !== undefined && linux(entry.since);
}

/** Whether buffers used piece by piece can have a `minLeft`: stable kernels got it late. */
export function canLeaveRoom(): boolean {
  if (!linux("6.12")) return false;
  using ring = new Ring(1);
  try {
    const options = { entries: 1, group: 1, incremental: true, minLeft: 2 };
    ring.setupBufRing(options).unregister();
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EINVAL") return false;
    throw error;
  }
}

/** Whether a backend is here: liburing need not be installed. */
export function available(backend: Backend): boolean {
  return ringKinds.some(({ name, supported }) => name === backend && supported);
}

/** The backends that are here, for what needs no ring. */
export const backends: readonly Backend[] = (["liburing", "syscall"] as const)
  .filter(available);

/** A completion, copied out of the ring. */
export interface Seen {
  userData: bigint;
  res: number;
  flags: number;
  bufferId: number;
}

/**
 * A kernel that answers some calls of io_uring_register(2) itself: undefined has the real one do
 * it. `bytes` gives what lies at the argument.
 */
export function answering(
  answer: (
    opcode: number,
    bytes: (length: number) => DataView,
    count: number,
  ) => number | undefined,
): Kernel {
  const real = openKernel("syscall");
  return {
    backend: real.backend,
    version: real.version,
    setup: (request) => real.setup(request),
    enter: (...call) => real.enter(...call),
    enter2: (...call) => real.enter2(...call),
    resize: (...call) => real.resize(...call),
    close: (mapping) => real.close(mapping),
    register(fd, opcode, argument, count) {
      const pointer = Deno.UnsafePointer.create(BigInt(argument));
      const bytes = (length: number) => {
        if (pointer === null) throw new Error("The argument is NULL.");
        const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, length);
        return new DataView(buffer);
      };
      return answer(opcode, bytes, count) ??
        real.register(fd, opcode, argument, count);
    },
  };
}

/** Waits for completions and takes them, in the order they came. */
export function take(ring: Ring, count: number): Seen[] {
  const seen: Seen[] = [];
  while (seen.length < count) {
    ring.wait(1);
    ring.forEachCqe(({ userData, res, flags, bufferId }) => {
      seen.push({ userData, res, flags, bufferId });
    });
  }
  return seen;
}

/** Takes what is there, or comes within a few milliseconds. */
export function takeNow(ring: Ring): Seen[] {
  const seen: Seen[] = [];
  ring.wait(1, { timeout: 5 });
  ring.forEachCqe(({ userData, res, flags, bufferId }) => {
    seen.push({ userData, res, flags, bufferId });
  });
  return seen;
}

/** Queues one op; a full queue fails the test. */
export function queue(ring: Ring, prepare: (sqe: Sqe) => void): void {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("The test's ring is too small.");
  prepare(sqe);
}

/** Runs one op and gives its result, or its errno, negated. */
export function runOne(ring: Ring, prepare: (sqe: Sqe) => void): number {
  queue(ring, prepare);
  ring.submit();
  return take(ring, 1)[0]?.res as number;
}

/** Values that are no number, or none that a field can hold. */
export const notNumbers: readonly unknown[] = [
  undefined,
  null,
  "1",
  1n,
  {},
  [],
  true,
];

/** Calls what takes a number with what is none, or a wrong one. Types say it cannot be. */
export function wrongly<T>(value: unknown): T {
  return value as T;
}

/**
 * Runs a program in a Deno of its own, and gives what it printed.
 *
 * @param options `flags` of Deno; `shell`: what a shell does to run it.
 */
export async function child(
  source: string,
  options: { flags?: string[]; shell?: string } = {},
): Promise<string> {
  const { flags = [], shell = "exec" } = options;
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/child.ts`;
  const ring = import.meta.resolve("../../../ring/mod.ts");
  const ffi = import.meta.resolve("../../../ffi/mod.ts");
  await Deno.writeTextFile(
    path,
    `import * as r from "${ring}";\nimport * as f from "${ffi}";\n${source}`,
  );
  const config = new URL(import.meta.resolve("../../../deno.json")).pathname;
  const deno = [
    Deno.execPath(),
    "run",
    "-A",
    "--quiet",
    "--no-check",
    `--config=${config}`,
    ...flags,
    path,
  ];
  const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
    args: ["-c", `${shell} "$0" "$@"`, ...deno],
    env: { NO_COLOR: "1", DENO_DIR: directory.path },
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}
