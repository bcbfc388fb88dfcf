/**
 * The constants of `linux/io_uring.h` and its companions under their C names, as in liburing 2.15:
 * flags, opcodes and masks. "Since" names the first kernel that has it.
 *
 * @module
 */

export * from "./abi/flags.ts";
export * from "./abi/opcodes.ts";
export * from "./abi/register.ts";
export * from "./abi/setup.ts";
