/**
 * `struct epoll_event`: what epoll waits for, and what happened. Its layout differs between
 * x86-64, where it is packed, and aarch64.
 *
 * @module
 */

import { epoll_event, type EpollEventLayout } from "../layout.ts";

export type { EpollEventLayout };

/** The size of a `struct epoll_event` in bytes, on this machine. */
export const EPOLL_EVENT_SIZE: number = epoll_event.size;

/** An event of an epoll set. */
export interface EpollEvent {
  /** `EPOLLIN`, `EPOLLOUT` and the others. */
  events: number;
  /** What the program gave for the descriptor, unsigned. */
  data: bigint;
}

/**
 * Writes a `struct epoll_event`.
 *
 * @param layout another machine's layout, for tests. Default: this one's.
 *
 * @example
 * ```ts
 * import { EPOLL_EVENT_SIZE, readEpollEvent, writeEpollEvent } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(EPOLL_EVENT_SIZE));
 * writeEpollEvent(view, 0, { events: 1, data: 7n });
 * assertEquals(readEpollEvent(view, 0), { events: 1, data: 7n });
 * ```
 */
export function writeEpollEvent(
  view: DataView,
  offset: number,
  { events, data }: EpollEvent,
  layout: EpollEventLayout = epoll_event,
): void {
  view.setUint32(offset + layout.events, events, true);
  view.setBigUint64(offset + layout.data, data, true);
}

/**
 * Reads a `struct epoll_event`.
 *
 * @param layout another machine's layout, for tests. Default: this one's.
 */
export function readEpollEvent(
  view: DataView,
  offset: number,
  layout: EpollEventLayout = epoll_event,
): EpollEvent {
  return {
    events: view.getUint32(offset + layout.events, true),
    data: view.getBigUint64(offset + layout.data, true),
  };
}
