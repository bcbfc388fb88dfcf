/**
 * The Linux constants beside io_uring's own that its operations take, under their C names, for x86-64
 * and aarch64: flags of open(2), statx(2), sockets, poll, mmap and so on, and errno's numbers.
 *
 * @module
 */

export * from "./linux/errnos.ts";
export * from "./linux/events.ts";
export * from "./linux/files.ts";
export * from "./linux/memory.ts";
export * from "./linux/sockets.ts";
