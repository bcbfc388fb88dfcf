/**
 * Restrictions: what a ring may be asked for once it is enabled, so that it can be handed to
 * code that is trusted less.
 *
 * @module
 */

import {
  IORING_FEAT_REG_REG_RING,
  IORING_REGISTER_RESTRICTIONS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_RESTRICTION_REGISTER_OP,
  IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
  IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
  IORING_RESTRICTION_SQE_OP,
  IORING_UNREGISTER_RING_FDS,
} from "../../ffi/abi.ts";
import { type Backend, openKernel } from "../../ffi/backend.ts";
import { checkInteger, show } from "../../ffi/check.ts";
import {
  io_uring_restriction as restriction,
  io_uring_task_restriction as task,
} from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock } from "./argument.ts";
import { registerBlind } from "./blind.ts";

/** What a ring may be asked for. Everything that is not named is refused. */
export interface Restrictions {
  /** The register opcodes allowed, `IORING_REGISTER_*`. Default: none. */
  registerOpcodes?: readonly number[];
  /** The ops allowed, `IORING_OP_*`. Default: none. */
  opcodes?: readonly number[];
  /** The flags that a submission may have, `IOSQE_*`. Default: none. */
  flagsAllowed?: number;
  /** The flags that a submission must have, `IOSQE_*`. Default: none. */
  flagsRequired?: number;
}

const hint = hints({
  EBADFD:
    "Only a ring made with IORING_SETUP_R_DISABLED, and not enabled yet, can be restricted.",
  EBUSY: "The ring is restricted already.",
  EINVAL: "The kernel must know every opcode.",
});

const taskHint = hints({
  EINVAL: "Restrictions of a task need Linux 7.0 or later.",
  EBADF: "Restrictions of a task need Linux 7.0 or later.",
  EPERM: "The task is restricted already.",
  EACCES: "The task needs no_new_privs (see prctl(2)) or CAP_SYS_ADMIN.",
});

type Entry = readonly [kind: number, value: number];

/** Restricts a ring. Internal: `ring.restrict` calls it. */
export function restrictRing(
  ring: Registrar,
  restrictions: Restrictions,
): void {
  const entries = entriesOf("ring.restrict", restrictions);
  // What closing a ring takes, so that the kernel writes to nobody's memory afterwards. By
  // this feature a kernel is known to have both.
  if (ring.features & IORING_FEAT_REG_REG_RING) {
    entries.push(
      [IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_SYNC_CANCEL],
      [IORING_RESTRICTION_REGISTER_OP, IORING_UNREGISTER_RING_FDS],
    );
  }
  const name = "io_uring_register_restrictions";
  const opcode = IORING_REGISTER_RESTRICTIONS;
  if (entries.length === 0) {
    throw new RangeError(
      "ring.restrict: nothing is allowed: name at least one opcode.",
    );
  }
  withBlock(entries.length * restriction.size, (block) => {
    writeEntries(block.view, 0, entries);
    ring.register(name, opcode, block, entries.length, hint);
  });
}

/**
 * Restricts every ring that the calling thread, and the threads and processes it will start,
 * make from now on. It cannot be undone. Since Linux 7.0.
 *
 * Unlike those of a ring, these say all: a ring made under them can only be closed with its
 * ops cancelled if `IORING_REGISTER_SYNC_CANCEL` is among `registerOpcodes`.
 *
 * @param options `backend`: how to reach the kernel, see {@linkcode RingOptions}.
 * @throws {TypeError | RangeError} if there are no such opcodes or flags.
 * @throws {SystemError} EINVAL or EBADF before Linux 7.0; EPERM if the task is restricted
 * already; EACCES without no_new_privs.
 *
 * @example
 * ```ts
 * import { restrictTask } from "@uring/uring/ring";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => restrictTask({ opcodes: [-1] }), RangeError);
 * ```
 */
export function restrictTask(
  restrictions: Restrictions,
  { backend }: { backend?: Backend } = {},
): void {
  const entries = entriesOf("restrictTask", restrictions);
  withBlock(task.size + entries.length * restriction.size, (block) => {
    block.view.setUint16(task.nr_res, entries.length, true);
    writeEntries(block.view, task.restrictions, entries);
    const name = "io_uring_register_restrictions";
    const opcode = IORING_REGISTER_RESTRICTIONS;
    registerBlind(openKernel(backend), name, opcode, block, 1, taskHint);
  });
}

function entriesOf(what: string, restrictions: Restrictions): Entry[] {
  if (restrictions === null || typeof restrictions !== "object") {
    throw new TypeError(
      `${what}: restrictions must be an object; got ${show(restrictions)}.`,
    );
  }
  const { registerOpcodes = [], opcodes = [] } = restrictions;
  const { flagsAllowed, flagsRequired } = restrictions;
  const flags: Entry[] = [];
  if (flagsAllowed !== undefined) {
    checkInteger(`${what}: flagsAllowed`, flagsAllowed, 0, 255);
    flags.push([IORING_RESTRICTION_SQE_FLAGS_ALLOWED, flagsAllowed]);
  }
  if (flagsRequired !== undefined) {
    checkInteger(`${what}: flagsRequired`, flagsRequired, 0, 255);
    flags.push([IORING_RESTRICTION_SQE_FLAGS_REQUIRED, flagsRequired]);
  }
  return [
    ...allowed(
      `${what}: registerOpcodes`,
      IORING_RESTRICTION_REGISTER_OP,
      registerOpcodes,
    ),
    ...allowed(`${what}: opcodes`, IORING_RESTRICTION_SQE_OP, opcodes),
    ...flags,
  ];
}

function allowed(
  what: string,
  kind: number,
  opcodes: readonly number[],
): Entry[] {
  if (!Array.isArray(opcodes)) {
    throw new TypeError(`${what} must be an array; got ${show(opcodes)}.`);
  }
  // Each once: the kernel limits how many there may be by how many it knows.
  return [...new Set<number>(opcodes)].map((opcode, index) => [
    kind,
    checkInteger(`${what}[${index}]`, opcode, 0, 255),
  ]);
}

function writeEntries(
  view: DataView,
  byteOffset: number,
  entries: readonly Entry[],
): void {
  for (const [index, [kind, value]] of entries.entries()) {
    const at = byteOffset + index * restriction.size;
    view.setUint16(at + restriction.opcode, kind, true);
    // register_op, sqe_op and sqe_flags are one byte by three names.
    view.setUint8(at + restriction.sqe_op, value);
  }
}
