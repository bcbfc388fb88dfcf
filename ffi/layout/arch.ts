/**
 * The layouts that differ between the two architectures.
 *
 * @module
 */

/** The offsets of struct stat's fields, and its size. */
export type StatLayout = Readonly<
  Record<
    | "size"
    | "st_dev"
    | "st_ino"
    | "st_nlink"
    | "st_mode"
    | "st_uid"
    | "st_gid"
    | "st_rdev"
    | "st_size"
    | "st_blksize"
    | "st_blocks"
    | "st_atim"
    | "st_atim_tv_sec"
    | "st_atim_tv_nsec"
    | "st_mtim"
    | "st_mtim_tv_sec"
    | "st_mtim_tv_nsec"
    | "st_ctim"
    | "st_ctim_tv_sec"
    | "st_ctim_tv_nsec",
    number
  >
>;

/** The offsets of struct epoll_event's fields, and its size. */
export type EpollEventLayout = Readonly<
  Record<
    | "size"
    | "events"
    | "data"
    | "data_ptr"
    | "data_fd"
    | "data_u32"
    | "data_u64",
    number
  >
>;

const STAT_X86_64: StatLayout = {
  size: 144,
  st_dev: 0,
  st_ino: 8,
  st_nlink: 16,
  st_mode: 24,
  st_uid: 28,
  st_gid: 32,
  st_rdev: 40,
  st_size: 48,
  st_blksize: 56,
  st_blocks: 64,
  st_atim: 72,
  st_atim_tv_sec: 72,
  st_atim_tv_nsec: 80,
  st_mtim: 88,
  st_mtim_tv_sec: 88,
  st_mtim_tv_nsec: 96,
  st_ctim: 104,
  st_ctim_tv_sec: 104,
  st_ctim_tv_nsec: 112,
};

const STAT_AARCH64: StatLayout = {
  size: 128,
  st_dev: 0,
  st_ino: 8,
  st_nlink: 20,
  st_mode: 16,
  st_uid: 24,
  st_gid: 28,
  st_rdev: 32,
  st_size: 48,
  st_blksize: 56,
  st_blocks: 64,
  st_atim: 72,
  st_atim_tv_sec: 72,
  st_atim_tv_nsec: 80,
  st_mtim: 88,
  st_mtim_tv_sec: 88,
  st_mtim_tv_nsec: 96,
  st_ctim: 104,
  st_ctim_tv_sec: 104,
  st_ctim_tv_nsec: 112,
};

// Packed on x86-64 only, so that 32-bit programs could share the layout.
const EPOLL_EVENT_X86_64: EpollEventLayout = {
  size: 12,
  events: 0,
  data: 4,
  data_ptr: 4,
  data_fd: 4,
  data_u32: 4,
  data_u64: 4,
};

const EPOLL_EVENT_AARCH64: EpollEventLayout = {
  size: 16,
  events: 0,
  data: 8,
  data_ptr: 8,
  data_fd: 8,
  data_u32: 8,
  data_u64: 8,
};

/**
 * The layout of struct stat on `arch`.
 *
 * @example
 * ```ts
 * import { layout } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(layout.stat.size, Deno.build.arch === "aarch64" ? 128 : 144);
 * ```
 */
export function statLayout(arch: typeof Deno.build.arch): StatLayout {
  return arch === "aarch64" ? STAT_AARCH64 : STAT_X86_64;
}

/**
 * The layout of struct epoll_event on `arch`.
 *
 * @example
 * ```ts
 * import { layout } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(layout.epoll_event.size, Deno.build.arch === "aarch64" ? 16 : 12);
 * ```
 */
export function epollEventLayout(
  arch: typeof Deno.build.arch,
): EpollEventLayout {
  return arch === "aarch64" ? EPOLL_EVENT_AARCH64 : EPOLL_EVENT_X86_64;
}

/** A file's metadata as this machine's libc has it: `sys/stat.h`. See stat(2). */
export const stat: StatLayout = statLayout(Deno.build.arch);

/** An event of an epoll set as this machine has it: `sys/epoll.h`. See epoll_event(3type). */
export const epoll_event: EpollEventLayout = epollEventLayout(Deno.build.arch);
