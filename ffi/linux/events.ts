/**
 * Constants of waiting: poll(2), epoll(7), eventfd(2), futexes, waitid(2), clocks, and the system calls of io_uring.
 *
 * @module
 */

// Readiness: poll(2), io_uring_sqe.poll32_events

/** There is data to read. */
export const POLLIN = 1;
/** There is something exceptional, such as urgent data. */
export const POLLPRI = 2;
/** There is room to write. */
export const POLLOUT = 4;
/** An error, or a pipe without readers; always reported. */
export const POLLERR = 8;
/** The peer hung up; always reported. */
export const POLLHUP = 0x10;
/** The descriptor is not open; always reported. */
export const POLLNVAL = 0x20;
/** As POLLIN. */
export const POLLRDNORM = 0x40;
/** There is priority data to read. */
export const POLLRDBAND = 0x80;
/** As POLLOUT. */
export const POLLWRNORM = 0x100;
/** There is room for priority data. */
export const POLLWRBAND = 0x200;
/** The peer shut down its sending side. */
export const POLLRDHUP = 0x2000;

// Changes of an epoll set: epoll_ctl(2)

/** Add a descriptor. */
export const EPOLL_CTL_ADD = 1;
/** Remove a descriptor. */
export const EPOLL_CTL_DEL = 2;
/** Change a descriptor's events. */
export const EPOLL_CTL_MOD = 3;

// Events of an epoll set: epoll_event.events

/** There is data to read. */
export const EPOLLIN = 1;
/** There is something exceptional. */
export const EPOLLPRI = 2;
/** There is room to write. */
export const EPOLLOUT = 4;
/** An error; always reported. */
export const EPOLLERR = 8;
/** The peer hung up; always reported. */
export const EPOLLHUP = 0x10;
/** As EPOLLIN. */
export const EPOLLRDNORM = 0x40;
/** There is priority data to read. */
export const EPOLLRDBAND = 0x80;
/** As EPOLLOUT. */
export const EPOLLWRNORM = 0x100;
/** There is room for priority data. */
export const EPOLLWRBAND = 0x200;
/** The peer shut down its sending side. */
export const EPOLLRDHUP = 0x2000;
/** Wake one of several sets that watch the descriptor; with IORING_OP_POLL_ADD since 5.9. */
export const EPOLLEXCLUSIVE = 0x10000000;
/** Keep the system from suspending while the event is handled. */
export const EPOLLWAKEUP = 0x20000000;
/** Report once, then sleep until EPOLL_CTL_MOD. */
export const EPOLLONESHOT = 0x40000000;
/** Report changes instead of states. */
export const EPOLLET = 0x80000000;
/** epoll_create1: the descriptor is closed at exec. */
export const EPOLL_CLOEXEC = 0x80000;

// eventfd(2)

/** A read takes 1 instead of the whole count. */
export const EFD_SEMAPHORE = 1;
/** The descriptor is closed at exec. */
export const EFD_CLOEXEC = 0x80000;
/** Calls fail with EAGAIN instead of waiting. */
export const EFD_NONBLOCK = 0x800;

// Futexes: futex2 flags of IORING_OP_FUTEX_WAIT, _WAKE and _WAITV

/** The futex is 8 bits wide; not implemented as of 6.18. */
export const FUTEX2_SIZE_U8 = 0;
/** The futex is 16 bits wide; not implemented as of 6.18. */
export const FUTEX2_SIZE_U16 = 1;
/** The futex is 32 bits wide. */
export const FUTEX2_SIZE_U32 = 2;
/** The futex is 64 bits wide; not implemented as of 6.18. */
export const FUTEX2_SIZE_U64 = 3;
/** The bits of the width. */
export const FUTEX2_SIZE_MASK = 3;
/** The futex is followed by a NUMA node. Since 6.16. */
export const FUTEX2_NUMA = 4;
/** The node follows the memory's policy. Since 6.16. */
export const FUTEX2_MPOL = 8;
/** The futex is used by one process only. */
export const FUTEX2_PRIVATE = 0x80;
/** A mask that matches every waiter. */
export const FUTEX_BITSET_MATCH_ANY = 0xffffffff;
/** The most futexes in one IORING_OP_FUTEX_WAITV. */
export const FUTEX_WAITV_MAX = 0x80;

// Whom to wait for: waitid(2)

/** Any child. */
export const P_ALL = 0;
/** The child with this process id. */
export const P_PID = 1;
/** Any child of this process group. */
export const P_PGID = 2;
/** The child of this pidfd. Since 5.4. */
export const P_PIDFD = 3;

// What to wait for: waitid(2)

/** Do not wait. */
export const WNOHANG = 1;
/** As WSTOPPED. */
export const WUNTRACED = 2;
/** Children that a signal stopped. */
export const WSTOPPED = 2;
/** Children that ended. */
export const WEXITED = 4;
/** Children that a signal set going again. */
export const WCONTINUED = 8;
/** Leave the child waitable. */
export const WNOWAIT = 0x1000000;

// What became of the child: siginfo_t.si_code

/** It exited; si_status is its exit status. */
export const CLD_EXITED = 1;
/** A signal killed it; si_status is the signal. */
export const CLD_KILLED = 2;
/** A signal killed it and it left a core dump. */
export const CLD_DUMPED = 3;
/** A traced child trapped. */
export const CLD_TRAPPED = 4;
/** A signal stopped it. */
export const CLD_STOPPED = 5;
/** SIGCONT set it going again. */
export const CLD_CONTINUED = 6;

// Clocks: clock_gettime(2), IORING_REGISTER_CLOCK

/** The time of day, which may jump. */
export const CLOCK_REALTIME = 0;
/** Time since boot, without suspend. */
export const CLOCK_MONOTONIC = 1;
/** Time since boot, with suspend. */
export const CLOCK_BOOTTIME = 7;

// Numbers of io_uring's own system calls, the same on x86-64 and aarch64

/** io_uring_setup(2). Since 5.1. */
export const __NR_io_uring_setup = 425;
/** io_uring_enter(2). Since 5.1. */
export const __NR_io_uring_enter = 426;
/** io_uring_register(2). Since 5.1. */
export const __NR_io_uring_register = 427;
