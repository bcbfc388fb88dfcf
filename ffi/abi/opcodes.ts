/**
 * The operations of io_uring.
 *
 * The kernel of a first version is where the operation appeared; what the running kernel has, a probe tells.
 *
 * @module
 */

// Operations: io_uring_sqe.opcode

/** Do nothing, and complete. Since 5.1. */
export const IORING_OP_NOP = 0;
/** Read into an array of buffers, as preadv2(2). Since 5.1. */
export const IORING_OP_READV = 1;
/** Write from an array of buffers, as pwritev2(2). Since 5.1. */
export const IORING_OP_WRITEV = 2;
/** Flush a file to its device, as fsync(2) or fdatasync(2). Since 5.1. */
export const IORING_OP_FSYNC = 3;
/** Read into a registered buffer. Since 5.1. */
export const IORING_OP_READ_FIXED = 4;
/** Write from a registered buffer. Since 5.1. */
export const IORING_OP_WRITE_FIXED = 5;
/** Wait until a descriptor is ready, once or repeatedly, as poll(2). Since 5.1. */
export const IORING_OP_POLL_ADD = 6;
/** Remove a poll request, or since 5.13 change it. Since 5.1. */
export const IORING_OP_POLL_REMOVE = 7;
/** Start or await the write-back of part of a file, as sync_file_range(2). Since 5.2. */
export const IORING_OP_SYNC_FILE_RANGE = 8;
/** Send a message, as sendmsg(2). Since 5.3. */
export const IORING_OP_SENDMSG = 9;
/** Receive a message, as recvmsg(2). Since 5.3. */
export const IORING_OP_RECVMSG = 10;
/** Complete after a time, or after a number of other completions. Since 5.4. */
export const IORING_OP_TIMEOUT = 11;
/** Remove a timeout, or since 5.11 change it. Since 5.5. */
export const IORING_OP_TIMEOUT_REMOVE = 12;
/** Accept a connection, as accept4(2). Since 5.5. */
export const IORING_OP_ACCEPT = 13;
/** Cancel requests in flight. Since 5.5. */
export const IORING_OP_ASYNC_CANCEL = 14;
/** Limit the time of the request that it is linked behind. Since 5.5. */
export const IORING_OP_LINK_TIMEOUT = 15;
/** Connect a socket, as connect(2). Since 5.5. */
export const IORING_OP_CONNECT = 16;
/** Allocate, punch or zero a range of a file, as fallocate(2). Since 5.6. */
export const IORING_OP_FALLOCATE = 17;
/** Open a file, as openat(2). Since 5.6. */
export const IORING_OP_OPENAT = 18;
/** Close a descriptor, or since 5.15 a direct one, as close(2). Since 5.6. */
export const IORING_OP_CLOSE = 19;
/** Replace registered files, as IORING_REGISTER_FILES_UPDATE does. Since 5.6. */
export const IORING_OP_FILES_UPDATE = 20;
/** A file's metadata, as statx(2). Since 5.6. */
export const IORING_OP_STATX = 21;
/** Read into one buffer, as pread(2). Since 5.6. */
export const IORING_OP_READ = 22;
/** Write from one buffer, as pwrite(2). Since 5.6. */
export const IORING_OP_WRITE = 23;
/** Announce how a file will be read, as posix_fadvise(2). Since 5.6. */
export const IORING_OP_FADVISE = 24;
/** Announce how memory will be used, as madvise(2). Since 5.6. */
export const IORING_OP_MADVISE = 25;
/** Send bytes, as send(2), or since 6.17 an array of buffers. Since 5.6. */
export const IORING_OP_SEND = 26;
/** Receive bytes, as recv(2). Since 5.6. */
export const IORING_OP_RECV = 27;
/** Open a file with rules for resolving the path, as openat2(2). Since 5.6. */
export const IORING_OP_OPENAT2 = 28;
/** Add, change or remove a descriptor of an epoll set, as epoll_ctl(2). Since 5.6. */
export const IORING_OP_EPOLL_CTL = 29;
/** Move bytes between a pipe and a descriptor, as splice(2). Since 5.7. */
export const IORING_OP_SPLICE = 30;
/** Give the kernel buffers to select from; buffer rings are the faster way. Since 5.7. */
export const IORING_OP_PROVIDE_BUFFERS = 31;
/** Take provided buffers back. Since 5.7. */
export const IORING_OP_REMOVE_BUFFERS = 32;
/** Duplicate bytes from pipe to pipe, as tee(2). Since 5.8. */
export const IORING_OP_TEE = 33;
/** Shut a socket down, as shutdown(2). Since 5.11. */
export const IORING_OP_SHUTDOWN = 34;
/** Rename a file, as renameat2(2). Since 5.11. */
export const IORING_OP_RENAMEAT = 35;
/** Remove a file or directory, as unlinkat(2). Since 5.11. */
export const IORING_OP_UNLINKAT = 36;
/** Make a directory, as mkdirat(2). Since 5.15. */
export const IORING_OP_MKDIRAT = 37;
/** Make a symbolic link, as symlinkat(2). Since 5.15. */
export const IORING_OP_SYMLINKAT = 38;
/** Make a hard link, as linkat(2). Since 5.15. */
export const IORING_OP_LINKAT = 39;
/** Post a completion, or send a direct descriptor, to another ring. Since 5.18. */
export const IORING_OP_MSG_RING = 40;
/** Set an extended attribute of an open file, as fsetxattr(2). Since 5.19. */
export const IORING_OP_FSETXATTR = 41;
/** Set an extended attribute by path, as setxattr(2). Since 5.19. */
export const IORING_OP_SETXATTR = 42;
/** Read an extended attribute of an open file, as fgetxattr(2). Since 5.19. */
export const IORING_OP_FGETXATTR = 43;
/** Read an extended attribute by path, as getxattr(2). Since 5.19. */
export const IORING_OP_GETXATTR = 44;
/** Make a socket, as socket(2). Since 5.19. */
export const IORING_OP_SOCKET = 45;
/** A command that the file's driver defines (sockets, block devices, NVMe, ...). Since 5.19. */
export const IORING_OP_URING_CMD = 46;
/** Send without copying the bytes; a second completion gives the buffer back. Since 6.0. */
export const IORING_OP_SEND_ZC = 47;
/** Send a message without copying its bytes. Since 6.1. */
export const IORING_OP_SENDMSG_ZC = 48;
/** Read into provided buffers again and again. Since 6.7. */
export const IORING_OP_READ_MULTISHOT = 49;
/** Wait for a child process, as waitid(2). Since 6.7. */
export const IORING_OP_WAITID = 50;
/** Wait on a futex, as futex_wait(2). Since 6.7. */
export const IORING_OP_FUTEX_WAIT = 51;
/** Wake waiters of a futex, as futex_wake(2). Since 6.7. */
export const IORING_OP_FUTEX_WAKE = 52;
/** Wait on any of several futexes, as futex_waitv(2). Since 6.7. */
export const IORING_OP_FUTEX_WAITV = 53;
/** Make a plain descriptor of a direct one. Since 6.8. */
export const IORING_OP_FIXED_FD_INSTALL = 54;
/** Set a file's length, as ftruncate(2). Since 6.9. */
export const IORING_OP_FTRUNCATE = 55;
/** Bind a socket to an address, as bind(2). Since 6.11. */
export const IORING_OP_BIND = 56;
/** Let a socket accept connections, as listen(2). Since 6.11. */
export const IORING_OP_LISTEN = 57;
/** Receive into memory that the network card fills. Since 6.15. */
export const IORING_OP_RECV_ZC = 58;
/** Collect the events of an epoll set, as epoll_wait(2). Since 6.15. */
export const IORING_OP_EPOLL_WAIT = 59;
/** Read into an array of ranges of a registered buffer. Since 6.15. */
export const IORING_OP_READV_FIXED = 60;
/** Write from an array of ranges of a registered buffer. Since 6.15. */
export const IORING_OP_WRITEV_FIXED = 61;
/** Make a pipe, as pipe2(2). Since 6.16. */
export const IORING_OP_PIPE = 62;
/** A NOP in a 128-byte SQE, for mixed rings. Since 6.19. */
export const IORING_OP_NOP128 = 63;
/** A driver's command in a 128-byte SQE, for mixed rings. Since 6.19. */
export const IORING_OP_URING_CMD128 = 64;
/** One past the last operation that these constants know, not of the running kernel. */
export const IORING_OP_LAST = 65;
