/**
 * The layouts of `liburing.h`, the same from liburing 2.3 on: where liburing keeps a ring's pointers.
 *
 * @module
 */

/** liburing's view of a submission queue. `sqes_sz` is newer than 2.3. */
export const io_uring_sq = {
  size: 104,
  khead: 0,
  ktail: 8,
  kring_mask: 16,
  kring_entries: 24,
  kflags: 32,
  kdropped: 40,
  array: 48,
  sqes: 56,
  sqe_head: 64,
  sqe_tail: 68,
  ring_sz: 72,
  ring_ptr: 80,
  ring_mask: 88,
  ring_entries: 92,
  sqes_sz: 96,
} as const;

/** liburing's view of a completion queue. */
export const io_uring_cq = {
  size: 88,
  khead: 0,
  ktail: 8,
  kring_mask: 16,
  kring_entries: 24,
  kflags: 32,
  koverflow: 40,
  cqes: 48,
  ring_sz: 56,
  ring_ptr: 64,
  ring_mask: 72,
  ring_entries: 76,
} as const;

/** liburing's ring. See io_uring_queue_init(3). */
export const io_uring = {
  size: 216,
  sq: 0,
  sq_khead: 0,
  sq_ktail: 8,
  sq_kring_mask: 16,
  sq_kring_entries: 24,
  sq_kflags: 32,
  sq_kdropped: 40,
  sq_array: 48,
  sq_sqes: 56,
  sq_sqe_head: 64,
  sq_sqe_tail: 68,
  sq_ring_sz: 72,
  sq_ring_ptr: 80,
  sq_ring_mask: 88,
  sq_ring_entries: 92,
  sq_sqes_sz: 96,
  cq: 104,
  cq_khead: 104,
  cq_ktail: 112,
  cq_kring_mask: 120,
  cq_kring_entries: 128,
  cq_kflags: 136,
  cq_koverflow: 144,
  cq_cqes: 152,
  cq_ring_sz: 160,
  cq_ring_ptr: 168,
  cq_ring_mask: 176,
  cq_ring_entries: 180,
  flags: 192,
  ring_fd: 196,
  features: 200,
  enter_ring_fd: 204,
  int_flags: 208,
} as const;
