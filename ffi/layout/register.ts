/**
 * The layouts of the arguments of io_uring_register(2), from `linux/io_uring.h` and `linux/io_uring/*.h`.
 *
 * A field that is itself named `size` is `size_` here: `size` is the size of the struct.
 *
 * @module
 */

/** Argument of IORING_REGISTER_FILES_UPDATE on old headers: the same as io_uring_rsrc_update. */
export const io_uring_files_update = { size: 16, offset: 0, fds: 8 } as const;

/** Argument of IORING_REGISTER_FILES2 and IORING_REGISTER_BUFFERS2. See io_uring_register(2). */
export const io_uring_rsrc_register = {
  size: 32,
  nr: 0,
  flags: 4,
  data: 16,
  tags: 24,
} as const;

/** Argument of IORING_REGISTER_FILES_UPDATE and IORING_REGISTER_RING_FDS. See io_uring_register(2). */
export const io_uring_rsrc_update = { size: 16, offset: 0, data: 8 } as const;

/** Argument of the updates with tags: _FILES_UPDATE2, _BUFFERS_UPDATE. See io_uring_register(2). */
export const io_uring_rsrc_update2 = {
  size: 32,
  offset: 0,
  data: 8,
  tags: 16,
  nr: 24,
} as const;

/** Argument of IORING_REGISTER_PROBE; an array of io_uring_probe_op follows. See io_uring_register_probe(3). */
export const io_uring_probe = {
  size: 16,
  last_op: 0,
  ops_len: 1,
  ops: 16,
} as const;

/** One operation of a probe's answer. See io_uring_register_probe(3). */
export const io_uring_probe_op = { size: 8, op: 0, flags: 2 } as const;

/** One element of IORING_REGISTER_RESTRICTIONS. See io_uring_register_restrictions(3). */
export const io_uring_restriction = {
  size: 16,
  opcode: 0,
  register_op: 2,
  sqe_op: 2,
  sqe_flags: 2,
} as const;

/** Restrictions of a task; an array of io_uring_restriction follows. See io_uring_register(2). */
export const io_uring_task_restriction = {
  size: 16,
  flags: 0,
  nr_res: 2,
  restrictions: 16,
} as const;

/** Argument of IORING_REGISTER_CLOCK. See io_uring_register_clock(3). */
export const io_uring_clock_register = { size: 16, clockid: 0 } as const;

/** Argument of IORING_REGISTER_CLONE_BUFFERS. See io_uring_clone_buffers(3). */
export const io_uring_clone_buffers = {
  size: 32,
  src_fd: 0,
  flags: 4,
  src_off: 8,
  dst_off: 12,
  nr: 16,
} as const;

/** A buffer in a buffer ring. See io_uring_buf_ring_add(3). */
export const io_uring_buf = { size: 16, addr: 0, len: 8, bid: 12 } as const;

/** A buffer ring, with `tail` in the last two bytes of its first io_uring_buf. See io_uring_setup_buf_ring(3). */
export const io_uring_buf_ring = { size: 16, tail: 14, bufs: 0 } as const;

/** Argument of IORING_REGISTER_PBUF_RING and its undoing. See io_uring_register_buf_ring(3). */
export const io_uring_buf_reg = {
  size: 40,
  ring_addr: 0,
  ring_entries: 8,
  bgid: 12,
  flags: 14,
  min_left: 16,
} as const;

/** Argument of IORING_REGISTER_PBUF_STATUS. See io_uring_buf_ring_available(3). */
export const io_uring_buf_status = { size: 40, buf_group: 0, head: 4 } as const;

/** Argument of IORING_REGISTER_NAPI and its undoing. See io_uring_register_napi(3). */
export const io_uring_napi = {
  size: 16,
  busy_poll_to: 0,
  prefer_busy_poll: 4,
} as const;

/** Argument of IORING_REGISTER_SYNC_CANCEL. See io_uring_register_sync_cancel(3). */
export const io_uring_sync_cancel_reg = {
  size: 64,
  addr: 0,
  fd: 8,
  flags: 12,
  timeout: 16,
  timeout_tv_sec: 16,
  timeout_tv_nsec: 24,
  opcode: 32,
} as const;

/** Argument of IORING_REGISTER_FILE_ALLOC_RANGE. See io_uring_register_file_alloc_range(3). */
export const io_uring_file_index_range = { size: 16, off: 0, len: 4 } as const;

/** A region of memory, the program's or the kernel's. See io_uring_register_region(3). */
export const io_uring_region_desc = {
  size: 64,
  user_addr: 0,
  size_: 8,
  flags: 16,
  id: 20,
  mmap_offset: 24,
} as const;

/** Argument of IORING_REGISTER_MEM_REGION. See io_uring_register_region(3). */
export const io_uring_mem_region_reg = {
  size: 32,
  region_uptr: 0,
  flags: 8,
} as const;

/** Argument of IORING_REGISTER_QUERY: one query of a chain. See io_uring_register_query(3). */
export const io_uring_query_hdr = {
  size: 40,
  next_entry: 0,
  query_data: 8,
  query_op: 16,
  size_: 20,
  result: 24,
} as const;

/** Answer to IO_URING_QUERY_OPCODES. See io_uring_register_query(3). */
export const io_uring_query_opcode = {
  size: 48,
  nr_request_opcodes: 0,
  nr_register_opcodes: 4,
  feature_flags: 8,
  ring_setup_flags: 16,
  enter_flags: 24,
  sqe_flags: 32,
  nr_query_opcodes: 40,
} as const;

/** Answer to IO_URING_QUERY_ZCRX. See io_uring_register_query(3). */
export const io_uring_query_zcrx = {
  size: 40,
  register_flags: 0,
  area_flags: 8,
  nr_ctrl_opcodes: 16,
  features: 20,
  rq_hdr_size: 24,
  rq_hdr_alignment: 28,
} as const;

/** Answer to IO_URING_QUERY_SCQ. See io_uring_register_query(3). */
export const io_uring_query_scq = {
  size: 16,
  hdr_size: 0,
  hdr_alignment: 8,
} as const;

/** Argument of IORING_REGISTER_BPF_FILTER. See io_uring_register_bpf_filter(3). */
export const io_uring_bpf = {
  size: 72,
  cmd_type: 0,
  cmd_flags: 2,
  filter: 8,
  filter_opcode: 8,
  filter_flags: 12,
  filter_filter_len: 16,
  filter_pdu_size: 20,
  filter_filter_ptr: 24,
} as const;

/** A filter for one operation. See io_uring_register_bpf_filter(3). */
export const io_uring_bpf_filter = {
  size: 64,
  opcode: 0,
  flags: 4,
  filter_len: 8,
  pdu_size: 12,
  filter_ptr: 16,
} as const;

/** What a filter sees of a request. See io_uring_register_bpf_filter(3). */
export const io_uring_bpf_ctx = {
  size: 40,
  user_data: 0,
  opcode: 8,
  sqe_flags: 9,
  pdu_size: 10,
  socket: 16,
  socket_family: 16,
  socket_type: 20,
  socket_protocol: 24,
  open: 16,
  open_flags: 16,
  open_mode: 24,
  open_resolve: 32,
} as const;

/** An entry of the refill queue of zero-copy receive. See io_uring_register_ifq(3). */
export const io_uring_zcrx_rqe = { size: 16, off: 0, len: 8 } as const;

/** The second half of an IORING_OP_RECV_ZC completion. See io_uring_register_ifq(3). */
export const io_uring_zcrx_cqe = { size: 16, off: 0 } as const;

/** Where the parts of the refill queue lie in its region. See io_uring_register_ifq(3). */
export const io_uring_zcrx_offsets = {
  size: 32,
  head: 0,
  tail: 4,
  rqes: 8,
} as const;

/** The memory that zero-copy receive fills. See io_uring_register_ifq(3). */
export const io_uring_zcrx_area_reg = {
  size: 48,
  addr: 0,
  len: 8,
  rq_area_token: 16,
  flags: 24,
  dmabuf_fd: 28,
} as const;

/** Argument of IORING_REGISTER_ZCRX_IFQ. See io_uring_register_ifq(3). */
export const io_uring_zcrx_ifq_reg = {
  size: 96,
  if_idx: 0,
  if_rxq: 4,
  rq_entries: 8,
  flags: 12,
  area_ptr: 16,
  region_ptr: 24,
  offsets: 32,
  offsets_head: 32,
  offsets_tail: 36,
  offsets_rqes: 40,
  zcrx_id: 64,
  rx_buf_len: 68,
} as const;

/** Argument of IORING_REGISTER_ZCRX_CTRL. See io_uring_register_zcrx_ctrl(3). */
export const zcrx_ctrl = {
  size: 72,
  zcrx_id: 0,
  op: 4,
  zc_export: 24,
  zc_export_zcrx_fd: 24,
  zc_flush: 24,
} as const;

/** The part of zcrx_ctrl for ZCRX_CTRL_EXPORT. See io_uring_register_zcrx_ctrl(3). */
export const zcrx_ctrl_export = { size: 48, zcrx_fd: 0 } as const;
