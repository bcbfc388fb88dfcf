/**
 * Where the fields of C structs lie: one table for each struct, under its C name, with the struct's `size` and
 * the offset of each field in bytes. Fields of nested structs are joined by an underscore
 * (`io_uring_params.sq_off_head`); reserved and padding fields are left out.
 *
 * @module
 */

export { epoll_event, stat } from "./layout/arch.ts";
export type { EpollEventLayout, StatLayout } from "./layout/arch.ts";
export * from "./layout/liburing.ts";
export * from "./layout/register.ts";
export * from "./layout/system.ts";
export * from "./layout/uring.ts";
