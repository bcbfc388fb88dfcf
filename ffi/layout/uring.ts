/**
 * The layouts of `linux/io_uring.h` that a ring is made of: SQE, CQE, setup and enter.
 *
 * @module
 */

/** A submission queue entry. With IORING_SETUP_SQE128 64 more bytes follow. See io_uring_enter(2). */
export const io_uring_sqe = {
  size: 64,
  opcode: 0,
  flags: 1,
  ioprio: 2,
  fd: 4,
  off: 8,
  addr2: 8,
  cmd_op: 8,
  addr: 16,
  splice_off_in: 16,
  level: 16,
  optname: 20,
  len: 24,
  rw_flags: 28,
  fsync_flags: 28,
  poll_events: 28,
  poll32_events: 28,
  sync_range_flags: 28,
  msg_flags: 28,
  timeout_flags: 28,
  accept_flags: 28,
  cancel_flags: 28,
  open_flags: 28,
  statx_flags: 28,
  fadvise_advice: 28,
  splice_flags: 28,
  rename_flags: 28,
  unlink_flags: 28,
  hardlink_flags: 28,
  xattr_flags: 28,
  msg_ring_flags: 28,
  uring_cmd_flags: 28,
  waitid_flags: 28,
  futex_flags: 28,
  install_fd_flags: 28,
  nop_flags: 28,
  pipe_flags: 28,
  user_data: 32,
  buf_index: 40,
  buf_group: 40,
  personality: 42,
  splice_fd_in: 44,
  file_index: 44,
  zcrx_ifq_idx: 44,
  optlen: 44,
  addr_len: 44,
  addr3: 48,
  attr_ptr: 48,
  attr_type_mask: 56,
  optval: 48,
  cmd: 48,
} as const;

/** Protection information of a read or write, pointed at by `attr_ptr`. */
export const io_uring_attr_pi = {
  size: 32,
  flags: 0,
  app_tag: 2,
  len: 4,
  addr: 8,
  seed: 16,
} as const;

/** A completion queue entry. With IORING_SETUP_CQE32 16 more bytes (`big_cqe`) follow. See io_uring(7). */
export const io_uring_cqe = {
  size: 16,
  user_data: 0,
  res: 8,
  flags: 12,
  big_cqe: 16,
} as const;

/** Where the parts of the submission ring lie in its mapping. See io_uring_setup(2). */
export const io_sqring_offsets = {
  size: 40,
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  flags: 16,
  dropped: 20,
  array: 24,
  user_addr: 32,
} as const;

/** Where the parts of the completion ring lie in its mapping. See io_uring_setup(2). */
export const io_cqring_offsets = {
  size: 40,
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  overflow: 16,
  cqes: 20,
  flags: 24,
  user_addr: 32,
} as const;

/** What a ring is asked to be, and what the kernel made of it. See io_uring_setup(2). */
export const io_uring_params = {
  size: 120,
  sq_entries: 0,
  cq_entries: 4,
  flags: 8,
  sq_thread_cpu: 12,
  sq_thread_idle: 16,
  features: 20,
  wq_fd: 24,
  sq_off: 40,
  sq_off_head: 40,
  sq_off_tail: 44,
  sq_off_ring_mask: 48,
  sq_off_ring_entries: 52,
  sq_off_flags: 56,
  sq_off_dropped: 60,
  sq_off_array: 64,
  sq_off_user_addr: 72,
  cq_off: 80,
  cq_off_head: 80,
  cq_off_tail: 84,
  cq_off_ring_mask: 88,
  cq_off_ring_entries: 92,
  cq_off_overflow: 96,
  cq_off_cqes: 100,
  cq_off_flags: 104,
  cq_off_user_addr: 112,
} as const;

/** The extended argument of a wait (IORING_ENTER_EXT_ARG). See io_uring_enter(2). */
export const io_uring_getevents_arg = {
  size: 24,
  sigmask: 0,
  sigmask_sz: 8,
  min_wait_usec: 12,
  ts: 16,
} as const;

/** An entry of the registered wait region (IORING_ENTER_EXT_ARG_REG). See io_uring_enter(2). */
export const io_uring_reg_wait = {
  size: 64,
  ts: 0,
  ts_tv_sec: 0,
  ts_tv_nsec: 8,
  min_wait_usec: 16,
  flags: 20,
  sigmask: 24,
  sigmask_sz: 32,
} as const;

/** What stands before each message of a multishot recvmsg. See io_uring_recvmsg_out(3). */
export const io_uring_recvmsg_out = {
  size: 16,
  namelen: 0,
  controllen: 4,
  payloadlen: 8,
  flags: 12,
} as const;

/** The time in the second half of a SOCKET_URING_OP_TX_TIMESTAMP completion. */
export const io_timespec = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;
