/**
 * The kinds of ring that behaviour is tested on: both backends, and the ways of running.
 */

import {
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQPOLL,
} from "../../ffi/mod.ts";
import { type OpcodeName, opcodes } from "../../ops/opcodes.ts";
import { Ring, type RingOptions } from "../../ring/mod.ts";
import { canMake } from "./setup.ts";

/** A kind of ring that tests run on. */
export interface RingKind {
  /** How tests call it. */
  name: string;
  /** Whether this kernel, and this machine, can make one. */
  supported: boolean;
  /** What makes it: backend and flags. */
  options: RingOptions;
  /** Makes one; `more` adds flags and sizes to the kind's own. */
  make(more?: RingOptions): Ring;
}

function kind(name: string, options: RingOptions): RingKind {
  const make = (more: RingOptions = {}) =>
    new Ring({
      entries: 32,
      ...options,
      ...more,
      flags: (options.flags ?? 0) | (more.flags ?? 0),
    });
  const supported = canMake(options.flags ?? 0, options);
  return { name, supported, options, make };
}

const DEFERRED = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

/** Every kind, whether this kernel has it or not. */
export const ringKinds: readonly RingKind[] = [
  kind("liburing", { backend: "liburing" }),
  kind("syscall", { backend: "syscall" }),
  kind("deferred", { flags: DEFERRED }),
  kind("sqpoll", { flags: IORING_SETUP_SQPOLL, sqThreadIdle: 20 }),
];

/** What a test of {@linkcode eachRing} needs. */
export interface Needs {
  /** Opcodes that the kernel must have, by their names in `opcodes`. */
  needs?: OpcodeName[];
  /** Another condition, such as a register opcode: false skips the test. */
  when?: boolean;
  /** Only these kinds. Default: all. */
  only?: string[];
  /** Options of the ring, beside those of its kind. */
  options?: RingOptions;
}

/**
 * Registers a test for each kind of ring. Those that this kernel cannot run are ignored, and
 * thereby counted as skipped.
 */
export function eachRing(
  name: string,
  { needs = [], when = true, only, options }: Needs,
  body: (ring: Ring, kind: RingKind) => void | Promise<void>,
): void {
  const supported = when &&
    needs.every((opcode) => opcodes[opcode].supported());
  for (const kind of ringKinds) {
    if (only !== undefined && !only.includes(kind.name)) continue;
    Deno.test({
      name: `${name} [${kind.name}]`,
      ignore: !supported || !kind.supported,
      async fn() {
        using ring = kind.make(options);
        await body(ring, kind);
      },
    });
  }
}
