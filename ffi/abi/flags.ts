/**
 * The flags of SQEs, CQEs and single operations.
 *
 * @module
 */

// Flags of every SQE: io_uring_sqe.flags

/** `fd` is an index into the registered files. Since 5.1. */
export const IOSQE_FIXED_FILE = 1;
/** Start after everything submitted before, and hold back everything after. Since 5.2. */
export const IOSQE_IO_DRAIN = 2;
/** The next SQE starts when this one succeeds, and is cancelled when it fails. Since 5.3. */
export const IOSQE_IO_LINK = 4;
/** The next SQE starts when this one ends, successful or not. Since 5.5. */
export const IOSQE_IO_HARDLINK = 8;
/** Go to a worker thread at once, without a first attempt inline. Since 5.6. */
export const IOSQE_ASYNC = 0x10;
/** Take a buffer from the group `buf_group`. Since 5.7. */
export const IOSQE_BUFFER_SELECT = 0x20;
/** Post no completion if the request succeeds. Since 5.17. */
export const IOSQE_CQE_SKIP_SUCCESS = 0x40;

// The same as bit numbers

/** The bit of IOSQE_FIXED_FILE. */
export const IOSQE_FIXED_FILE_BIT = 0;
/** The bit of IOSQE_IO_DRAIN. */
export const IOSQE_IO_DRAIN_BIT = 1;
/** The bit of IOSQE_IO_LINK. */
export const IOSQE_IO_LINK_BIT = 2;
/** The bit of IOSQE_IO_HARDLINK. */
export const IOSQE_IO_HARDLINK_BIT = 3;
/** The bit of IOSQE_ASYNC. */
export const IOSQE_ASYNC_BIT = 4;
/** The bit of IOSQE_BUFFER_SELECT. */
export const IOSQE_BUFFER_SELECT_BIT = 5;
/** The bit of IOSQE_CQE_SKIP_SUCCESS. */
export const IOSQE_CQE_SKIP_SUCCESS_BIT = 6;

// Direct descriptors: io_uring_sqe.file_index

/** The kernel picks a free slot for the direct descriptor and returns it in `res`. Since 5.19. */
export const IORING_FILE_INDEX_ALLOC = 0xffffffff;

// Flags of a completion: io_uring_cqe.flags

/** The upper 16 bits hold the id of the provided buffer that was used. Since 5.7. */
export const IORING_CQE_F_BUFFER = 1;
/** More completions of the same SQE will come. Since 5.13. */
export const IORING_CQE_F_MORE = 2;
/** The socket has more to read after this receive. Since 5.19. */
export const IORING_CQE_F_SOCK_NONEMPTY = 4;
/** The notification of a zero-copy send: its buffer is free again. Since 6.0. */
export const IORING_CQE_F_NOTIF = 8;
/** The provided buffer is only partly used and stays with the kernel. Since 6.12. */
export const IORING_CQE_F_BUF_MORE = 0x10;
/** Filler before the end of a mixed ring: to be ignored. Since 6.18. */
export const IORING_CQE_F_SKIP = 0x20;
/** A 32-byte completion in a mixed ring. Since 6.18. */
export const IORING_CQE_F_32 = 0x8000;
/** How far the buffer id is shifted within `flags`. */
export const IORING_CQE_BUFFER_SHIFT = 16;

// Reads and writes: io_uring_sqe.attr_type_mask

/** `attr_ptr` points at io_uring_attr_pi: protection information. Since 6.14. */
export const IORING_RW_ATTR_FLAG_PI = 1;

// fsync: io_uring_sqe.fsync_flags

/** Flush the data and only the metadata needed to read it, as fdatasync(2). Since 5.1. */
export const IORING_FSYNC_DATASYNC = 1;

// Timeouts: io_uring_sqe.timeout_flags

/** The timespec is a point in time, not a span. Since 5.5. */
export const IORING_TIMEOUT_ABS = 1;
/** Change a timeout in flight instead of removing it. Since 5.11. */
export const IORING_TIMEOUT_UPDATE = 2;
/** Count by CLOCK_BOOTTIME, which goes on in suspend. Since 5.15. */
export const IORING_TIMEOUT_BOOTTIME = 4;
/** Count by CLOCK_REALTIME. Since 5.15. */
export const IORING_TIMEOUT_REALTIME = 8;
/** Change a linked timeout in flight. Since 5.15. */
export const IORING_LINK_TIMEOUT_UPDATE = 0x10;
/** Expiry is no failure: a chain goes on, though `res` is still -ETIME. Since 5.16. */
export const IORING_TIMEOUT_ETIME_SUCCESS = 0x20;
/** Complete at each interval, `off` times, or without end if 0. Since 6.4. */
export const IORING_TIMEOUT_MULTISHOT = 0x40;
/** `addr` holds the time itself, in nanoseconds, not a pointer. Since 7.1. */
export const IORING_TIMEOUT_IMMEDIATE_ARG = 0x80;
/** The bits that choose a clock: BOOTTIME and REALTIME. */
export const IORING_TIMEOUT_CLOCK_MASK = 0xc;
/** The bits that ask for a change: TIMEOUT_UPDATE and LINK_TIMEOUT_UPDATE. */
export const IORING_TIMEOUT_UPDATE_MASK = 0x12;

// splice and tee: io_uring_sqe.splice_flags, beside SPLICE_F_* of splice(2)

/** `splice_fd_in` is an index into the registered files. Since 5.7. */
export const SPLICE_F_FD_IN_FIXED = 0x80000000;

// Poll: io_uring_sqe.len

/** Complete at every event until removed. Since 5.13. */
export const IORING_POLL_ADD_MULTI = 1;
/** Change the events of a poll request in flight. Since 5.13. */
export const IORING_POLL_UPDATE_EVENTS = 2;
/** Change the user_data of a poll request in flight. Since 5.13. */
export const IORING_POLL_UPDATE_USER_DATA = 4;
/** Level-triggered: complete as long as the condition holds. Since 6.0. */
export const IORING_POLL_ADD_LEVEL = 8;

// Cancellation: io_uring_sqe.cancel_flags and io_uring_sync_cancel_reg.flags

/** Cancel every match; `res` counts them. Since 5.19. */
export const IORING_ASYNC_CANCEL_ALL = 1;
/** Match by file descriptor. Since 5.19. */
export const IORING_ASYNC_CANCEL_FD = 2;
/** Match every request of the ring. Since 5.19. */
export const IORING_ASYNC_CANCEL_ANY = 4;
/** The descriptor to match is an index into the registered files. Since 6.0. */
export const IORING_ASYNC_CANCEL_FD_FIXED = 8;
/** Match by user_data too; the default where no other key is given. Since 6.6. */
export const IORING_ASYNC_CANCEL_USERDATA = 0x10;
/** Match by opcode. Since 6.6. */
export const IORING_ASYNC_CANCEL_OP = 0x20;

// Send and receive: io_uring_sqe.ioprio

/** Wait for readiness before the first attempt. Since 5.19. */
export const IORING_RECVSEND_POLL_FIRST = 1;
/** Complete at every arrival, into provided buffers. Since 6.0. */
export const IORING_RECV_MULTISHOT = 2;
/** The bytes are in the registered buffer `buf_index`. Since 6.0. */
export const IORING_RECVSEND_FIXED_BUF = 4;
/** The notification's `res` tells whether the bytes were copied after all. Since 6.2. */
export const IORING_SEND_ZC_REPORT_USAGE = 8;
/** One request uses several consecutive provided buffers. Since 6.10. */
export const IORING_RECVSEND_BUNDLE = 0x10;
/** `addr` points at `len` iovecs instead of bytes. Since 6.17. */
export const IORING_SEND_VECTORIZED = 0x20;
/** In a notification's `res`: at least a part was copied. Since 6.2. */
export const IORING_NOTIF_USAGE_ZC_COPIED = 0x80000000;

// Accept: io_uring_sqe.ioprio

/** Complete at every connection until cancelled. Since 5.19. */
export const IORING_ACCEPT_MULTISHOT = 1;
/** Fail with EAGAIN if no connection is waiting. Since 6.10. */
export const IORING_ACCEPT_DONTWAIT = 2;
/** Wait for a connection before the first attempt. Since 6.10. */
export const IORING_ACCEPT_POLL_FIRST = 4;

// Messages between rings: io_uring_sqe.addr, then io_uring_sqe.msg_ring_flags

/** The target gets a completion with `len` as `res` and `off` as user_data. Since 5.18. */
export const IORING_MSG_DATA = 0;
/** The target gets a direct descriptor of this ring. Since 6.0. */
export const IORING_MSG_SEND_FD = 1;
/** With IORING_MSG_SEND_FD: no completion on the target. Since 6.0. */
export const IORING_MSG_RING_CQE_SKIP = 1;
/** `file_index` becomes the flags of the target's completion. Since 6.3. */
export const IORING_MSG_RING_FLAGS_PASS = 2;

// Fixed descriptor install: io_uring_sqe.install_fd_flags

/** The new descriptor survives exec. Since 6.8. */
export const IORING_FIXED_FD_NO_CLOEXEC = 1;

// NOP: io_uring_sqe.nop_flags

/** Complete with `len` as `res`. Since 6.10. */
export const IORING_NOP_INJECT_RESULT = 1;
/** Post a 32-byte completion in a mixed ring. Since 6.18. */
export const IORING_NOP_CQE32 = 0x20;

// Driver commands: io_uring_sqe.uring_cmd_flags

/** The command uses the registered buffer `buf_index`. Since 6.1. */
export const IORING_URING_CMD_FIXED = 1;
/** The flags that a program may set; the kernel keeps the others. */
export const IORING_URING_CMD_MASK = 1;

// Commands of sockets: io_uring_sqe.cmd_op

/** How many bytes wait to be read. Since 6.6. */
export const SOCKET_URING_OP_SIOCINQ = 0;
/** How many bytes wait to be sent. Since 6.6. */
export const SOCKET_URING_OP_SIOCOUTQ = 1;
/** Read a SOL_SOCKET option, as getsockopt(2). Since 6.7. */
export const SOCKET_URING_OP_GETSOCKOPT = 2;
/** Set an option, as setsockopt(2). Since 6.7. */
export const SOCKET_URING_OP_SETSOCKOPT = 3;
/** Deliver the times at which bytes were sent, one 32-byte completion each. Since 6.17. */
export const SOCKET_URING_OP_TX_TIMESTAMP = 4;
/** The local or the peer's address, as getsockname(2) or getpeername(2). Since 6.19. */
export const SOCKET_URING_OP_GETSOCKNAME = 5;

// Completions of SOCKET_URING_OP_TX_TIMESTAMP: io_uring_cqe.flags

/** The bit that tells a hardware timestamp. Since 6.17. */
export const IORING_TIMESTAMP_HW_SHIFT = 16;
/** The bit from which on the kind of timestamp (SCM_TSTAMP_*) is stored. Since 6.17. */
export const IORING_TIMESTAMP_TYPE_SHIFT = 17;
/** The timestamp was taken by hardware. Since 6.17. */
export const IORING_CQE_F_TSTAMP_HW = 0x10000;

// Commands of block devices: io_uring_sqe.cmd_op

/** Discard a range of a block device. Since 6.12. */
export const BLOCK_URING_CMD_DISCARD = 0x1200;
