/**
 * io_uring_register(2): opcodes, flags and arguments.
 *
 * @module
 */

// Opcodes of io_uring_register(2)

/** Register buffers for the _FIXED operations. Since 5.1. */
export const IORING_REGISTER_BUFFERS = 0;
/** Release all registered buffers. Since 5.1. */
export const IORING_UNREGISTER_BUFFERS = 1;
/** Register files for IOSQE_FIXED_FILE. Since 5.1. */
export const IORING_REGISTER_FILES = 2;
/** Release all registered files. Since 5.1. */
export const IORING_UNREGISTER_FILES = 3;
/** Signal an eventfd at every completion. Since 5.2. */
export const IORING_REGISTER_EVENTFD = 4;
/** Stop signalling the eventfd. Since 5.2. */
export const IORING_UNREGISTER_EVENTFD = 5;
/** Replace some registered files. Since 5.5. */
export const IORING_REGISTER_FILES_UPDATE = 6;
/** Signal an eventfd only for completions that did not come inline. Since 5.6. */
export const IORING_REGISTER_EVENTFD_ASYNC = 7;
/** Ask which operations this kernel has. Since 5.6. */
export const IORING_REGISTER_PROBE = 8;
/** Keep the caller's credentials for `personality` of later SQEs. Since 5.6. */
export const IORING_REGISTER_PERSONALITY = 9;
/** Forget registered credentials. Since 5.6. */
export const IORING_UNREGISTER_PERSONALITY = 10;
/** Restrict what a disabled ring may do once it is enabled. Since 5.10. */
export const IORING_REGISTER_RESTRICTIONS = 11;
/** Enable a ring that was set up with IORING_SETUP_R_DISABLED. Since 5.10. */
export const IORING_REGISTER_ENABLE_RINGS = 12;
/** Register files with tags, or an empty table. Since 5.13. */
export const IORING_REGISTER_FILES2 = 13;
/** Replace some registered files and their tags. Since 5.13. */
export const IORING_REGISTER_FILES_UPDATE2 = 14;
/** Register buffers with tags, or an empty table. Since 5.13. */
export const IORING_REGISTER_BUFFERS2 = 15;
/** Replace some registered buffers and their tags. Since 5.13. */
export const IORING_REGISTER_BUFFERS_UPDATE = 16;
/** Choose the CPUs of the worker threads. Since 5.14. */
export const IORING_REGISTER_IOWQ_AFF = 17;
/** Let worker threads run on every CPU again. Since 5.14. */
export const IORING_UNREGISTER_IOWQ_AFF = 18;
/** Limit the number of worker threads, and read the old limits. Since 5.15. */
export const IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
/** Register the ring's own descriptor, which makes entering cheaper. Since 5.18. */
export const IORING_REGISTER_RING_FDS = 20;
/** Release a registered ring descriptor. Since 5.18. */
export const IORING_UNREGISTER_RING_FDS = 21;
/** Register a ring of provided buffers. Since 5.19. */
export const IORING_REGISTER_PBUF_RING = 22;
/** Release a ring of provided buffers. Since 5.19. */
export const IORING_UNREGISTER_PBUF_RING = 23;
/** Cancel requests and wait until they are gone. Since 6.0. */
export const IORING_REGISTER_SYNC_CANCEL = 24;
/** Limit the slots that IORING_FILE_INDEX_ALLOC picks from. Since 6.0. */
export const IORING_REGISTER_FILE_ALLOC_RANGE = 25;
/** How far the kernel has read a buffer ring. Since 6.8. */
export const IORING_REGISTER_PBUF_STATUS = 26;
/** Busy-poll network cards while waiting. Since 6.9. */
export const IORING_REGISTER_NAPI = 27;
/** Stop busy-polling network cards. Since 6.9. */
export const IORING_UNREGISTER_NAPI = 28;
/** The clock by which waits are timed. Since 6.12. */
export const IORING_REGISTER_CLOCK = 29;
/** Share another ring's registered buffers. Since 6.12. */
export const IORING_REGISTER_CLONE_BUFFERS = 30;
/** Send an IORING_MSG_DATA message without a ring of one's own. Since 6.13. */
export const IORING_REGISTER_SEND_MSG_RING = 31;
/** Register a queue of a network card for zero-copy receive. Since 6.15. */
export const IORING_REGISTER_ZCRX_IFQ = 32;
/** Change the sizes of both rings. Needs IORING_SETUP_DEFER_TASKRUN. Since 6.13. */
export const IORING_REGISTER_RESIZE_RINGS = 33;
/** Register memory that holds wait arguments. Since 6.13. */
export const IORING_REGISTER_MEM_REGION = 34;
/** Ask what this kernel's io_uring can do; needs no ring. Since 6.18. */
export const IORING_REGISTER_QUERY = 35;
/** Control a zero-copy receive queue. Since 6.19. */
export const IORING_REGISTER_ZCRX_CTRL = 36;
/** Filter operations by classic BPF programs. Since 7.0. */
export const IORING_REGISTER_BPF_FILTER = 37;
/** One past the last register opcode that these constants know, not of the running kernel. */
export const IORING_REGISTER_LAST = 38;

// Added to the opcode of io_uring_register(2)

/** The descriptor is a registered ring index. Since 6.3. */
export const IORING_REGISTER_USE_REGISTERED_RING = 0x80000000;

// Worker threads: the index into IORING_REGISTER_IOWQ_MAX_WORKERS' pair

/** Workers for what ends in bounded time: regular files and block devices. Since 5.15. */
export const IO_WQ_BOUND = 0;
/** Workers for what may take forever: sockets, pipes, character devices. Since 5.15. */
export const IO_WQ_UNBOUND = 1;

// Files and buffers

/** In io_uring_rsrc_register.flags: register an empty table. Since 5.19. */
export const IORING_RSRC_REGISTER_SPARSE = 1;
/** In an update: leave this slot as it is. Since 5.12. */
export const IORING_REGISTER_FILES_SKIP: -2 = -2;
/** In io_uring_clone_buffers.flags: `src_fd` is a registered ring index. Since 6.12. */
export const IORING_REGISTER_SRC_REGISTERED = 1;
/** In io_uring_clone_buffers.flags: replace the buffers that are there. Since 6.13. */
export const IORING_REGISTER_DST_REPLACE = 2;

// Probe: io_uring_probe_op.flags

/** This kernel has the operation. Since 5.6. */
export const IO_URING_OP_SUPPORTED = 1;

// Buffer rings: io_uring_buf_reg.flags

/** The kernel allocates the ring and the program maps it. Since 6.4. */
export const IOU_PBUF_RING_MMAP = 1;
/** A buffer may be used up piece by piece. Since 6.12. */
export const IOU_PBUF_RING_INC = 2;

// Restrictions: io_uring_restriction.opcode

/** Allow a register opcode. Since 5.10. */
export const IORING_RESTRICTION_REGISTER_OP = 0;
/** Allow an operation. Since 5.10. */
export const IORING_RESTRICTION_SQE_OP = 1;
/** Allow SQE flags. Since 5.10. */
export const IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
/** Demand SQE flags of every submission. Since 5.10. */
export const IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;
/** One past the last kind of restriction. */
export const IORING_RESTRICTION_LAST = 4;

// Memory regions and registered waits

/** In io_uring_region_desc.flags: the program supplies the memory. Since 6.13. */
export const IORING_MEM_REGION_TYPE_USER = 1;
/** In io_uring_mem_region_reg.flags: the region holds io_uring_reg_wait entries. Since 6.13. */
export const IORING_MEM_REGION_REG_WAIT_ARG = 1;
/** In io_uring_reg_wait.flags: `ts` is valid. Since 6.13. */
export const IORING_REG_WAIT_TS = 1;

// Queries: io_uring_query_hdr.query_op

/** How many opcodes, and which flags and features, the kernel has. Since 6.18. */
export const IO_URING_QUERY_OPCODES = 0;
/** What the kernel's zero-copy receive can do. Since 6.19. */
export const IO_URING_QUERY_ZCRX = 1;
/** Size and alignment of the rings' header. Since 6.19. */
export const IO_URING_QUERY_SCQ = 2;
/** One past the last query that these constants know. */
export const __IO_URING_QUERY_MAX = 3;

// BPF filters: io_uring_bpf.cmd_type, then io_uring_bpf_filter.flags

/** Install a filter. Since 7.0. */
export const IO_URING_BPF_CMD_FILTER = 1;
/** Deny every operation that has no filter. Since 7.0. */
export const IO_URING_BPF_FILTER_DENY_REST = 1;
/** Refuse the filter unless its `pdu_size` is exactly the kernel's. Since 7.0. */
export const IO_URING_BPF_FILTER_SZ_STRICT = 2;

// Zero-copy receive

/** From this bit on an offset of io_uring_zcrx_cqe or io_uring_zcrx_rqe names its area. Since 6.15. */
export const IORING_ZCRX_AREA_SHIFT = 48;
/** The bits of such an offset that name the area. Since 6.15. */
export const IORING_ZCRX_AREA_MASK = 0xffff000000000000n;
/** In io_uring_zcrx_area_reg.flags: the area is a dmabuf. Since 6.16. */
export const IORING_ZCRX_AREA_DMABUF = 1;
/** In io_uring_zcrx_ifq_reg.flags: take over a queue that another ring exported. Since 6.19. */
export const ZCRX_REG_IMPORT = 1;
/** In io_uring_zcrx_ifq_reg.flags: no network device, every byte is copied. Since 7.1. */
export const ZCRX_REG_NODEV = 2;
/** In io_uring_query_zcrx.features: `rx_buf_len` can be asked for. Since 7.0. */
export const ZCRX_FEATURE_RX_PAGE_SIZE = 1;
/** Take in what lies in the refill queue. Since 6.19. */
export const ZCRX_CTRL_FLUSH_RQ = 0;
/** Make a descriptor by which another ring can import the queue. Since 6.19. */
export const ZCRX_CTRL_EXPORT = 1;
/** One past the last control operation that these constants know. */
export const __ZCRX_CTRL_LAST = 2;
