/**
 * The layouts of other headers that operations take or return, for 64-bit Linux.
 *
 * @module
 */

/** A buffer of a vectored read or write: `sys/uio.h`. See readv(2). */
export const iovec = { size: 16, iov_base: 0, iov_len: 8 } as const;

/** A message: `sys/socket.h`. See sendmsg(2). */
export const msghdr = {
  size: 56,
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const;

/** The head of a control message; its data follows: `sys/socket.h`. See cmsg(3). */
export const cmsghdr = {
  size: 16,
  cmsg_len: 0,
  cmsg_level: 8,
  cmsg_type: 12,
} as const;

/** The kernel's own timespec, which io_uring takes: `linux/time_types.h`. */
export const __kernel_timespec = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** Seconds and nanoseconds: `time.h`. */
export const timespec = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** Seconds and microseconds, for SO_RCVTIMEO and SO_SNDTIMEO: `sys/time.h`. */
export const timeval = { size: 16, tv_sec: 0, tv_usec: 8 } as const;

/** A file's metadata: `linux/stat.h`. See statx(2). */
export const statx = {
  size: 256,
  stx_mask: 0,
  stx_blksize: 4,
  stx_attributes: 8,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_blocks: 48,
  stx_attributes_mask: 56,
  stx_atime: 64,
  stx_atime_tv_sec: 64,
  stx_atime_tv_nsec: 72,
  stx_btime: 80,
  stx_btime_tv_sec: 80,
  stx_btime_tv_nsec: 88,
  stx_ctime: 96,
  stx_ctime_tv_sec: 96,
  stx_ctime_tv_nsec: 104,
  stx_mtime: 112,
  stx_mtime_tv_sec: 112,
  stx_mtime_tv_nsec: 120,
  stx_rdev_major: 128,
  stx_rdev_minor: 132,
  stx_dev_major: 136,
  stx_dev_minor: 140,
  stx_mnt_id: 144,
  stx_dio_mem_align: 152,
  stx_dio_offset_align: 156,
  stx_subvol: 160,
  stx_atomic_write_unit_min: 168,
  stx_atomic_write_unit_max: 172,
  stx_atomic_write_segments_max: 176,
  stx_dio_read_offset_align: 180,
  stx_atomic_write_unit_max_opt: 184,
} as const;

/** A time in struct statx: `linux/stat.h`. See statx(2). */
export const statx_timestamp = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** How to open a file: `linux/openat2.h`. See openat2(2). */
export const open_how = { size: 24, flags: 0, mode: 8, resolve: 16 } as const;

/** The start of every socket address: `sys/socket.h`. */
export const sockaddr = { size: 16, sa_family: 0, sa_data: 2 } as const;

/** An IPv4 address and port, both big-endian: `netinet/in.h`. See ip(7). */
export const sockaddr_in = {
  size: 16,
  sin_family: 0,
  sin_port: 2,
  sin_addr: 4,
  sin_addr_s_addr: 4,
} as const;

/** An IPv6 address and port, both big-endian: `netinet/in.h`. See ipv6(7). */
export const sockaddr_in6 = {
  size: 28,
  sin6_family: 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
} as const;

/** A Unix socket's path or abstract name: `sys/un.h`. See unix(7). */
export const sockaddr_un = { size: 110, sun_family: 0, sun_path: 2 } as const;

/** Room for any socket address: `sys/socket.h`. */
export const sockaddr_storage = { size: 128, ss_family: 0 } as const;

/** An IPv4 address: `netinet/in.h`. */
export const in_addr = { size: 4, s_addr: 0 } as const;

/** An IPv6 address: `netinet/in.h`. */
export const in6_addr = { size: 16, s6_addr: 0 } as const;

/** One futex of IORING_OP_FUTEX_WAITV: `linux/futex.h`. See futex_waitv(2). */
export const futex_waitv = { size: 24, val: 0, uaddr: 8, flags: 16 } as const;

/** The value of SO_LINGER: `sys/socket.h`. See socket(7). */
export const linger = { size: 8, l_onoff: 0, l_linger: 4 } as const;

/** The value of SO_PEERCRED and SCM_CREDENTIALS: `sys/socket.h`. See unix(7). */
export const ucred = { size: 12, pid: 0, uid: 4, gid: 8 } as const;

/** One descriptor of a poll: `poll.h`. See poll(2). */
export const pollfd = { size: 8, fd: 0, events: 4, revents: 6 } as const;

/** An instruction of a classic BPF program: `linux/filter.h`. */
export const sock_filter = { size: 8, code: 0, jt: 2, jf: 3, k: 4 } as const;

/** What became of a child, with the names of waitid(2): `signal.h`. Signals have more fields. */
export const siginfo_t = {
  size: 128,
  si_signo: 0,
  si_errno: 4,
  si_code: 8,
  si_pid: 16,
  si_uid: 20,
  si_status: 24,
  si_utime: 32,
  si_stime: 40,
} as const;
