/**
 * Every opcode of io_uring: its number, its first kernel, its man page, and whether the
 * running kernel has it.
 *
 * @module
 */

import { Ring } from "../ring/ring.ts";

/** One opcode of io_uring, as {@linkcode opcodes} describes it. */
export interface Opcode {
  /** The C name after `IORING_OP_`, in lower case: `"poll_add"`. */
  readonly name: string;
  /** The number that stands in an entry's `opcode`. */
  readonly code: number;
  /** The C name: `"IORING_OP_POLL_ADD"`. */
  readonly constant: string;
  /** The first kernel that has it: `"5.1"`. Distributions backport; {@linkcode supported} knows. */
  readonly since: string;
  /** The man page that describes it: `"io_uring_prep_poll_add(3)"`. */
  readonly man: string;
  /**
   * Whether the running kernel has it. Asks the kernel once, with a small ring's probe.
   *
   * @throws {SystemError} if no ring can be made: io_uring is missing or forbidden.
   */
  supported(): boolean;
}

/** The opcodes' names in camel case, the keys of {@linkcode opcodes}. */
export type OpcodeName =
  | "nop"
  | "readv"
  | "writev"
  | "fsync"
  | "readFixed"
  | "writeFixed"
  | "pollAdd"
  | "pollRemove"
  | "syncFileRange"
  | "sendmsg"
  | "recvmsg"
  | "timeout"
  | "timeoutRemove"
  | "accept"
  | "asyncCancel"
  | "linkTimeout"
  | "connect"
  | "fallocate"
  | "openat"
  | "close"
  | "filesUpdate"
  | "statx"
  | "read"
  | "write"
  | "fadvise"
  | "madvise"
  | "send"
  | "recv"
  | "openat2"
  | "epollCtl"
  | "splice"
  | "provideBuffers"
  | "removeBuffers"
  | "tee"
  | "shutdown"
  | "renameat"
  | "unlinkat"
  | "mkdirat"
  | "symlinkat"
  | "linkat"
  | "msgRing"
  | "fsetxattr"
  | "setxattr"
  | "fgetxattr"
  | "getxattr"
  | "socket"
  | "uringCmd"
  | "sendZc"
  | "sendmsgZc"
  | "readMultishot"
  | "waitid"
  | "futexWait"
  | "futexWake"
  | "futexWaitv"
  | "fixedFdInstall"
  | "ftruncate"
  | "bind"
  | "listen"
  | "recvZc"
  | "epollWait"
  | "readvFixed"
  | "writevFixed"
  | "pipe"
  | "nop128"
  | "uringCmd128";

/** What each kernel release brought, in the order of the opcodes' numbers. */
const history: readonly (readonly [since: string, ...names: OpcodeName[]])[] = [
  ["5.1", "nop", "readv", "writev", "fsync", "readFixed", "writeFixed"],
  ["5.1", "pollAdd", "pollRemove"],
  ["5.2", "syncFileRange"],
  ["5.3", "sendmsg", "recvmsg"],
  ["5.4", "timeout"],
  ["5.5", "timeoutRemove", "accept", "asyncCancel", "linkTimeout", "connect"],
  ["5.6", "fallocate", "openat", "close", "filesUpdate", "statx", "read"],
  ["5.6", "write", "fadvise", "madvise", "send", "recv", "openat2", "epollCtl"],
  ["5.7", "splice", "provideBuffers", "removeBuffers"],
  ["5.8", "tee"],
  ["5.11", "shutdown", "renameat", "unlinkat"],
  ["5.15", "mkdirat", "symlinkat", "linkat"],
  ["5.18", "msgRing"],
  ["5.19", "fsetxattr", "setxattr", "fgetxattr", "getxattr"],
  ["5.19", "socket", "uringCmd"],
  ["6.0", "sendZc"],
  ["6.1", "sendmsgZc"],
  ["6.7", "readMultishot", "waitid", "futexWait", "futexWake", "futexWaitv"],
  ["6.8", "fixedFdInstall"],
  ["6.9", "ftruncate"],
  ["6.11", "bind", "listen"],
  ["6.15", "recvZc", "epollWait", "readvFixed", "writevFixed"],
  ["6.16", "pipe"],
  ["6.19", "nop128", "uringCmd128"],
];

/** Where the man page is not called after the opcode. */
const pages: Partial<Record<OpcodeName, string>> = {
  asyncCancel: "io_uring_prep_cancel(3)",
  recvZc: "io_uring_enter(2)",
};

let probed: readonly boolean[] | undefined;

function supported(code: number): boolean {
  if (probed === undefined) {
    using ring = new Ring(2);
    const probe = ring.probe();
    probed = list.map((opcode) => probe.supports(opcode.code));
  }
  return probed[code] === true;
}

function opcode(key: OpcodeName, since: string, code: number): Opcode {
  const name = key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
  return Object.freeze({
    name,
    code,
    constant: `IORING_OP_${name.toUpperCase()}`,
    since,
    man: pages[key] ?? `io_uring_prep_${name}(3)`,
    supported: () => supported(code),
  });
}

const keyed = history
  .flatMap(([since, ...names]) => names.map((key) => [key, since] as const))
  .map(([key, since], code) => [key, opcode(key, since, code)] as const);

const list = keyed.map(([, known]) => known);

/**
 * Every opcode by its name in camel case, in the order of the numbers.
 *
 * @example
 * ```ts
 * import { opcodes } from "@uring/uring/ops";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const { name, code, constant, since, man } = opcodes.pollAdd;
 * assertEquals([name, code, constant], ["poll_add", 6, "IORING_OP_POLL_ADD"]);
 * assertEquals([since, man], ["5.1", "io_uring_prep_poll_add(3)"]);
 * assert(opcodes.read.supported()); // since 5.6
 * ```
 */
export const opcodes: Readonly<Record<OpcodeName, Opcode>> = Object.freeze(
  Object.fromEntries(keyed) as Record<OpcodeName, Opcode>,
);

/**
 * The opcode with a number, or undefined if this package knows none.
 *
 * @param code what stands in an entry's `opcode`.
 *
 * @example
 * ```ts
 * import { opcodeOf } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(opcodeOf(22)?.name, "read");
 * assertEquals(opcodeOf(200), undefined);
 * ```
 */
export function opcodeOf(code: number): Opcode | undefined {
  return list[code];
}
