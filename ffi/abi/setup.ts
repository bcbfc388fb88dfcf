/**
 * io_uring_setup(2), io_uring_enter(2) and the mapped rings: flags, features and offsets.
 *
 * @module
 */

// Flags of io_uring_setup(2): io_uring_params.flags

/** Busy-wait for completions of O_DIRECT I/O instead of taking interrupts. Since 5.1. */
export const IORING_SETUP_IOPOLL = 1;
/** A kernel thread polls the submission queue, so that a busy ring needs no system call. Since 5.1. */
export const IORING_SETUP_SQPOLL = 2;
/** Bind the SQPOLL thread to the CPU in `sq_thread_cpu`. Since 5.1. */
export const IORING_SETUP_SQ_AFF = 4;
/** `cq_entries` gives the completion queue's size; otherwise it is twice the submission queue's. Since 5.5. */
export const IORING_SETUP_CQSIZE = 8;
/** Lower sizes beyond the kernel's limits to the limits instead of failing with EINVAL. Since 5.6. */
export const IORING_SETUP_CLAMP = 0x10;
/** Share worker threads, and the SQPOLL thread if any, with the ring in `wq_fd`. Since 5.6. */
export const IORING_SETUP_ATTACH_WQ = 0x20;
/** Start disabled: restrictions can be registered, nothing submitted until ENABLE_RINGS. Since 5.10. */
export const IORING_SETUP_R_DISABLED = 0x40;
/** Go on submitting the rest of a batch after an SQE that fails. Since 5.18. */
export const IORING_SETUP_SUBMIT_ALL = 0x80;
/** Finish completions at the task's own next kernel entry instead of interrupting it. Since 5.19. */
export const IORING_SETUP_COOP_TASKRUN = 0x100;
/** With COOP_TASKRUN or DEFER_TASKRUN: show pending work as IORING_SQ_TASKRUN. Since 5.19. */
export const IORING_SETUP_TASKRUN_FLAG = 0x200;
/** Every SQE takes 128 bytes, for commands that need the second half. Since 5.19. */
export const IORING_SETUP_SQE128 = 0x400;
/** Every CQE takes 32 bytes, for results that need the second half. Since 5.19. */
export const IORING_SETUP_CQE32 = 0x800;
/** Promise that one task submits; another one gets EEXIST. Since 6.0. */
export const IORING_SETUP_SINGLE_ISSUER = 0x1000;
/** Finish completions only inside an enter with GETEVENTS. Needs SINGLE_ISSUER. Since 6.1. */
export const IORING_SETUP_DEFER_TASKRUN = 0x2000;
/** The program supplies the memory of rings and SQEs in `cq_off.user_addr`, `sq_off.user_addr`. Since 6.5. */
export const IORING_SETUP_NO_MMAP = 0x4000;
/** Return a registered ring index and no file descriptor. Needs NO_MMAP. Since 6.5. */
export const IORING_SETUP_REGISTERED_FD_ONLY = 0x8000;
/** The submission queue has no index array: SQEs go in ring order. Since 6.6. */
export const IORING_SETUP_NO_SQARRAY = 0x10000;
/** With IOPOLL: sleep a while before polling, which costs less CPU. Since 6.13. */
export const IORING_SETUP_HYBRID_IOPOLL = 0x20000;
/** 16-byte and 32-byte CQEs share one ring; IORING_CQE_F_32 marks the large ones. Since 6.18. */
export const IORING_SETUP_CQE_MIXED = 0x40000;
/** 64-byte and 128-byte SQEs share one ring; the opcode tells the large ones. Since 6.19. */
export const IORING_SETUP_SQE_MIXED = 0x80000;
/** Every submission starts at SQE 0, head and tail unused. Needs NO_SQARRAY, not SQPOLL. Since 7.0. */
export const IORING_SETUP_SQ_REWIND = 0x100000;

// Features that the kernel reports: io_uring_params.features

/** One mmap covers the submission and the completion ring. Since 5.4. */
export const IORING_FEAT_SINGLE_MMAP = 1;
/** Completions that find the ring full are kept in the kernel, not dropped. Since 5.5. */
export const IORING_FEAT_NODROP = 2;
/** What an SQE points at, buffers aside, is copied once the kernel has consumed the SQE. Since 5.5. */
export const IORING_FEAT_SUBMIT_STABLE = 4;
/** Offset -1 reads or writes at the file position. Since 5.6. */
export const IORING_FEAT_RW_CUR_POS = 8;
/** Requests run with the credentials of the task that submits them. Since 5.6. */
export const IORING_FEAT_CUR_PERSONALITY = 0x10;
/** Requests that must wait for data are polled for, with no worker thread blocked. Since 5.7. */
export const IORING_FEAT_FAST_POLL = 0x20;
/** Poll requests take all 32 bits of epoll events, EPOLLEXCLUSIVE among them. Since 5.9. */
export const IORING_FEAT_POLL_32BITS = 0x40;
/** SQPOLL works on plain file descriptors, not only on registered files. Since 5.11. */
export const IORING_FEAT_SQPOLL_NONFIXED = 0x80;
/** io_uring_enter(2) takes io_uring_getevents_arg: a signal mask and a timeout. Since 5.11. */
export const IORING_FEAT_EXT_ARG = 0x100;
/** Workers are threads of the process, with its limits and credentials. Since 5.12. */
export const IORING_FEAT_NATIVE_WORKERS = 0x200;
/** Registered files and buffers carry tags and can be updated in place. Since 5.13. */
export const IORING_FEAT_RSRC_TAGS = 0x400;
/** IOSQE_CQE_SKIP_SUCCESS works. Since 5.17. */
export const IORING_FEAT_CQE_SKIP = 0x800;
/** A linked request looks up its file when it starts, so an earlier link may have opened it. Since 5.18. */
export const IORING_FEAT_LINKED_FILE = 0x1000;
/** io_uring_register(2) accepts a registered ring index. Since 6.3. */
export const IORING_FEAT_REG_REG_RING = 0x2000;
/** Send and receive handle bundles, and sends select provided buffers. Since 6.10. */
export const IORING_FEAT_RECVSEND_BUNDLE = 0x4000;
/** A wait takes a minimum time in which to gather a batch. Since 6.12. */
export const IORING_FEAT_MIN_TIMEOUT = 0x8000;
/** Reads and writes take attributes through `attr_ptr`. Since 6.14. */
export const IORING_FEAT_RW_ATTR = 0x10000;
/** IORING_ENTER_NO_IOWAIT works. Since 6.15. */
export const IORING_FEAT_NO_IOWAIT = 0x20000;

// Flags of io_uring_enter(2)

/** Wait for `min_complete` completions, or with 0 only run what is pending. Since 5.1. */
export const IORING_ENTER_GETEVENTS = 1;
/** Wake the SQPOLL thread, which sleeps when IORING_SQ_NEED_WAKEUP is set. Since 5.1. */
export const IORING_ENTER_SQ_WAKEUP = 2;
/** Wait until the SQPOLL thread has made room in the submission queue. Since 5.10. */
export const IORING_ENTER_SQ_WAIT = 4;
/** The argument is an io_uring_getevents_arg instead of a signal mask. Since 5.11. */
export const IORING_ENTER_EXT_ARG = 8;
/** The descriptor is an index from IORING_REGISTER_RING_FDS. Since 5.18. */
export const IORING_ENTER_REGISTERED_RING = 0x10;
/** The timeout is a time on the registered clock, not a span. Since 6.12. */
export const IORING_ENTER_ABS_TIMER = 0x20;
/** The argument is an offset into the registered wait region. Since 6.13. */
export const IORING_ENTER_EXT_ARG_REG = 0x40;
/** Do not count the sleeping task as waiting for I/O. Since 6.15. */
export const IORING_ENTER_NO_IOWAIT = 0x80;

// Offsets for mmap(2) on the ring's descriptor

/** The submission ring; with IORING_FEAT_SINGLE_MMAP the completion ring too. Since 5.1. */
export const IORING_OFF_SQ_RING = 0;
/** The completion ring. Since 5.1. */
export const IORING_OFF_CQ_RING = 0x8000000;
/** The array of SQEs. Since 5.1. */
export const IORING_OFF_SQES = 0x10000000;
/** A buffer ring that the kernel allocated (IOU_PBUF_RING_MMAP), with its group shifted in. Since 6.4. */
export const IORING_OFF_PBUF_RING = 0x80000000;
/** How far the buffer group is shifted within a IORING_OFF_PBUF_RING offset. Since 6.4. */
export const IORING_OFF_PBUF_SHIFT = 16;
/** The bits of an offset that tell which of these areas it is in. Since 6.4. */
export const IORING_OFF_MMAP_MASK = 0xf8000000;

// Flags in the mapped rings

/** The SQPOLL thread sleeps: enter with IORING_ENTER_SQ_WAKEUP. Since 5.1. */
export const IORING_SQ_NEED_WAKEUP = 1;
/** Completions wait in the kernel because the ring was full: enter with GETEVENTS. Since 5.8. */
export const IORING_SQ_CQ_OVERFLOW = 2;
/** Work is pending that an enter with GETEVENTS will run. Since 5.19. */
export const IORING_SQ_TASKRUN = 4;
/** Set by the program in the completion ring's flags: no eventfd signals for now. Since 5.8. */
export const IORING_CQ_EVENTFD_DISABLED = 1;

// The version of liburing whose headers these constants follow

/** liburing's major version. */
export const IO_URING_VERSION_MAJOR = 2;
/** liburing's minor version. */
export const IO_URING_VERSION_MINOR = 15;

// liburing's own

/** The user_data that liburing gives its internal timeouts where FEAT_EXT_ARG is missing: not for programs. */
export const LIBURING_UDATA_TIMEOUT = 0xffffffffffffffffn;
