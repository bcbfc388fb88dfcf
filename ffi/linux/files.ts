/**
 * Constants of files: open(2), statx(2), rename(2), fallocate(2), splice(2) and their kin.
 *
 * @module
 */

import { openFlags } from "./arch.ts";

const native = openFlags(Deno.build.arch);

// How to open: open(2), openat2(2), pipe2(2)

/** Open for reading only. */
export const O_RDONLY = 0o0;
/** Open for writing only. */
export const O_WRONLY = 0o1;
/** Open for reading and writing. */
export const O_RDWR = 0o2;
/** The bits of the access mode: O_RDONLY, O_WRONLY or O_RDWR. */
export const O_ACCMODE = 0o3;
/** Create the file if it does not exist; the mode says with which permissions. */
export const O_CREAT = 0o100;
/** With O_CREAT: fail with EEXIST if the file exists. */
export const O_EXCL = 0o200;
/** Do not let a terminal become the controlling one. */
export const O_NOCTTY = 0o400;
/** Cut a regular file to length 0. */
export const O_TRUNC = 0o1000;
/** Every write goes to the end of the file. */
export const O_APPEND = 0o2000;
/** Fail with EAGAIN instead of waiting. */
export const O_NONBLOCK = 0o4000;
/** Every write returns only once its data is on the device. */
export const O_DSYNC = 0o10000;
/** Every write returns only once data and metadata are on the device. */
export const O_SYNC = 0o4010000;
/** Send SIGIO when input or output becomes possible. */
export const O_ASYNC = 0o20000;
/** Reading leaves the access time alone; only for the file's owner. */
export const O_NOATIME = 0o1000000;
/** The descriptor is closed at exec. */
export const O_CLOEXEC = 0o2000000;
/** A descriptor that only names the file: no reading, no writing. Since 2.6.39. */
export const O_PATH = 0o10000000;
/** 0 on 64-bit systems, where every file may be large. */
export const O_LARGEFILE = 0o0;
/** Bypass the page cache; addresses, offsets and lengths must be aligned. */
export const O_DIRECT: number = native.O_DIRECT;
/** Fail with ENOTDIR unless the path is a directory. */
export const O_DIRECTORY: number = native.O_DIRECTORY;
/** Fail with ELOOP if the path ends in a symbolic link. */
export const O_NOFOLLOW: number = native.O_NOFOLLOW;
/** Make a file without a name in the directory. Since 3.11. */
export const O_TMPFILE: number = native.O_TMPFILE;

// How openat2(2) resolves a path: open_how.resolve

/** Do not cross mount points. Since 5.6. */
export const RESOLVE_NO_XDEV = 1;
/** Do not follow links such as /proc/self/fd/1. Since 5.6. */
export const RESOLVE_NO_MAGICLINKS = 2;
/** Do not follow symbolic links at all. Since 5.6. */
export const RESOLVE_NO_SYMLINKS = 4;
/** Stay below the starting directory; absolute paths fail. Since 5.6. */
export const RESOLVE_BENEATH = 8;
/** Treat the starting directory as the root. Since 5.6. */
export const RESOLVE_IN_ROOT = 0x10;
/** Fail with EAGAIN if the path is not in the kernel's cache. Since 5.12. */
export const RESOLVE_CACHED = 0x20;

// Paths: the *at(2) system calls

/** As a directory descriptor: the current working directory. */
export const AT_FDCWD: -100 = -100;
/** Work on a symbolic link itself. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** unlinkat: remove a directory. */
export const AT_REMOVEDIR = 0x200;
/** linkat: follow a symbolic link. */
export const AT_SYMLINK_FOLLOW = 0x400;
/** Do not mount what lies at the end of the path. */
export const AT_NO_AUTOMOUNT = 0x800;
/** With an empty path: work on the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** statx: as fresh as stat(2) would be. */
export const AT_STATX_SYNC_AS_STAT = 0;
/** statx: ask the file server. */
export const AT_STATX_FORCE_SYNC = 0x2000;
/** statx: what is cached will do. */
export const AT_STATX_DONT_SYNC = 0x4000;
/** statx: the bits of the three above. */
export const AT_STATX_SYNC_TYPE = 0x6000;

// Kinds of files and permissions: st_mode, stx_mode

/** The bits of the kind. */
export const S_IFMT = 0o170000;
/** A socket. */
export const S_IFSOCK = 0o140000;
/** A symbolic link. */
export const S_IFLNK = 0o120000;
/** A regular file. */
export const S_IFREG = 0o100000;
/** A block device. */
export const S_IFBLK = 0o60000;
/** A directory. */
export const S_IFDIR = 0o40000;
/** A character device. */
export const S_IFCHR = 0o20000;
/** A pipe with a name. */
export const S_IFIFO = 0o10000;
/** Run with the owner's user id. */
export const S_ISUID = 0o4000;
/** Run with the owner's group id; in a directory: new files inherit the group. */
export const S_ISGID = 0o2000;
/** In a directory: only owners remove files. */
export const S_ISVTX = 0o1000;
/** The owner reads, writes and executes. */
export const S_IRWXU = 0o700;
/** The owner reads. */
export const S_IRUSR = 0o400;
/** The owner writes. */
export const S_IWUSR = 0o200;
/** The owner executes. */
export const S_IXUSR = 0o100;
/** The group reads, writes and executes. */
export const S_IRWXG = 0o70;
/** The group reads. */
export const S_IRGRP = 0o40;
/** The group writes. */
export const S_IWGRP = 0o20;
/** The group executes. */
export const S_IXGRP = 0o10;
/** Others read, write and execute. */
export const S_IRWXO = 0o7;
/** Others read. */
export const S_IROTH = 0o4;
/** Others write. */
export const S_IWOTH = 0o2;
/** Others execute. */
export const S_IXOTH = 0o1;

// What statx(2) is asked for, and has answered: stx_mask

/** The kind of file. */
export const STATX_TYPE = 1;
/** The permissions. */
export const STATX_MODE = 2;
/** The number of hard links. */
export const STATX_NLINK = 4;
/** The owner. */
export const STATX_UID = 8;
/** The group. */
export const STATX_GID = 0x10;
/** The time of the last access. */
export const STATX_ATIME = 0x20;
/** The time of the last change of the contents. */
export const STATX_MTIME = 0x40;
/** The time of the last change of the metadata. */
export const STATX_CTIME = 0x80;
/** The inode number. */
export const STATX_INO = 0x100;
/** The size in bytes. */
export const STATX_SIZE = 0x200;
/** The number of 512-byte blocks in use. */
export const STATX_BLOCKS = 0x400;
/** All that stat(2) tells. */
export const STATX_BASIC_STATS = 0x7ff;
/** The time of creation. */
export const STATX_BTIME = 0x800;
/** The mount's id, which may be reused. Since 5.8. */
export const STATX_MNT_ID = 0x1000;
/** The alignment that O_DIRECT needs. Since 6.1. */
export const STATX_DIOALIGN = 0x2000;
/** The mount's id that is never reused. Since 6.8. */
export const STATX_MNT_ID_UNIQUE = 0x4000;
/** The subvolume's id. Since 6.10. */
export const STATX_SUBVOL = 0x8000;
/** What untorn writes can do. Since 6.11. */
export const STATX_WRITE_ATOMIC = 0x10000;
/** The alignment that O_DIRECT needs for reads. Since 6.14. */
export const STATX_DIO_READ_ALIGN = 0x20000;

// Attributes of a file: stx_attributes

/** The file system compresses the file. */
export const STATX_ATTR_COMPRESSED = 4;
/** The file cannot be changed. */
export const STATX_ATTR_IMMUTABLE = 0x10;
/** The file can only grow. */
export const STATX_ATTR_APPEND = 0x20;
/** Backups leave the file out. */
export const STATX_ATTR_NODUMP = 0x40;
/** The file system encrypts the file. */
export const STATX_ATTR_ENCRYPTED = 0x800;
/** Entering the directory mounts something. */
export const STATX_ATTR_AUTOMOUNT = 0x1000;
/** The root of a mount. Since 5.8. */
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
/** fs-verity guards the contents. Since 5.5. */
export const STATX_ATTR_VERITY = 0x100000;
/** The file is in memory that the CPU addresses directly. Since 5.8. */
export const STATX_ATTR_DAX = 0x200000;
/** The file takes untorn writes. Since 6.11. */
export const STATX_ATTR_WRITE_ATOMIC = 0x400000;

// renameat2(2)

/** Fail with EEXIST if the new name exists. */
export const RENAME_NOREPLACE = 1;
/** Swap the two names. */
export const RENAME_EXCHANGE = 2;
/** Leave an overlay's whiteout in place of the old name. */
export const RENAME_WHITEOUT = 4;

// A single read or write: preadv2(2), io_uring_sqe.rw_flags

/** Poll for the completion; for O_DIRECT. */
export const RWF_HIPRI = 1;
/** This write as with O_DSYNC. */
export const RWF_DSYNC = 2;
/** This write as with O_SYNC. */
export const RWF_SYNC = 4;
/** Fail with EAGAIN instead of waiting for data or locks. */
export const RWF_NOWAIT = 8;
/** This write goes to the end of the file. */
export const RWF_APPEND = 0x10;
/** This write goes to its offset despite O_APPEND. Since 6.9. */
export const RWF_NOAPPEND = 0x20;
/** This write is not torn by a crash. Since 6.11. */
export const RWF_ATOMIC = 0x40;
/** Drop the pages from the cache afterwards. Since 6.14. */
export const RWF_DONTCACHE = 0x80;
/** No SIGPIPE for this write. Since 6.18. */
export const RWF_NOSIGNAL = 0x100;

// Where an offset counts from: lseek(2)

/** From the start. */
export const SEEK_SET = 0;
/** From the file position. */
export const SEEK_CUR = 1;
/** From the end. */
export const SEEK_END = 2;
/** To the next data at or after the offset. */
export const SEEK_DATA = 3;
/** To the next hole at or after the offset. */
export const SEEK_HOLE = 4;

// fallocate(2)

/** Plain allocation: no flag. */
export const FALLOC_FL_ALLOCATE_RANGE = 0;
/** The file's size stays. */
export const FALLOC_FL_KEEP_SIZE = 1;
/** Give the range's blocks back; it reads as zeros. Needs KEEP_SIZE. */
export const FALLOC_FL_PUNCH_HOLE = 2;
/** Take the range out and move the rest up. */
export const FALLOC_FL_COLLAPSE_RANGE = 8;
/** Make the range read as zeros, and keep it allocated. */
export const FALLOC_FL_ZERO_RANGE = 0x10;
/** Move the rest down to make a hole. */
export const FALLOC_FL_INSERT_RANGE = 0x20;
/** Give the range blocks of its own where they are shared. */
export const FALLOC_FL_UNSHARE_RANGE = 0x40;
/** Zero the range so that later writes need no metadata. Since 6.17. */
export const FALLOC_FL_WRITE_ZEROES = 0x80;

// posix_fadvise(2)

/** No particular pattern. */
export const POSIX_FADV_NORMAL = 0;
/** Random order: no read-ahead. */
export const POSIX_FADV_RANDOM = 1;
/** From low to high: more read-ahead. */
export const POSIX_FADV_SEQUENTIAL = 2;
/** Soon needed: read it now. */
export const POSIX_FADV_WILLNEED = 3;
/** No longer needed: drop clean pages. */
export const POSIX_FADV_DONTNEED = 4;
/** Needed only once. */
export const POSIX_FADV_NOREUSE = 5;

// sync_file_range(2)

/** Wait for write-back that is under way before starting. */
export const SYNC_FILE_RANGE_WAIT_BEFORE = 1;
/** Start the write-back of dirty pages. */
export const SYNC_FILE_RANGE_WRITE = 2;
/** Wait until the write-back is done. */
export const SYNC_FILE_RANGE_WAIT_AFTER = 4;
/** All three. */
export const SYNC_FILE_RANGE_WRITE_AND_WAIT = 7;

// splice(2) and tee(2)

/** Move pages instead of copying; a hint without effect today. */
export const SPLICE_F_MOVE = 1;
/** Do not wait on the pipe. */
export const SPLICE_F_NONBLOCK = 2;
/** More will follow: a socket may hold the bytes back. */
export const SPLICE_F_MORE = 4;
/** vmsplice: the pages are the kernel's now. */
export const SPLICE_F_GIFT = 8;

// Extended attributes: setxattr(2)

/** Fail with EEXIST if the attribute exists. */
export const XATTR_CREATE = 1;
/** Fail with ENODATA if the attribute does not exist. */
export const XATTR_REPLACE = 2;
/** The longest name in bytes. */
export const XATTR_NAME_MAX = 255;
/** The longest value in bytes. */
export const XATTR_SIZE_MAX = 65536;

// fcntl(2)

/** Duplicate a descriptor, closed at exec. */
export const F_DUPFD_CLOEXEC = 1030;
/** Read the descriptor's flags. */
export const F_GETFD = 1;
/** Set the descriptor's flags. */
export const F_SETFD = 2;
/** The one descriptor flag: closed at exec. */
export const FD_CLOEXEC = 1;
/** Read the file's access mode and status flags. */
export const F_GETFL = 3;
/** Set the file's status flags. */
export const F_SETFL = 4;
/** Set a pipe's capacity in bytes. */
export const F_SETPIPE_SZ = 1031;
/** Read a pipe's capacity in bytes. */
export const F_GETPIPE_SZ = 1032;

// Limits

/** The most iovecs in one call. */
export const UIO_MAXIOV = 1024;

// I/O priorities: io_uring_sqe.ioprio, ioprio_set(2)

/** The class stands from this bit on; below it the level, 0 (high) to 7 (low). */
export const IOPRIO_CLASS_SHIFT = 13;
/** No class: the priority follows from the nice value. */
export const IOPRIO_CLASS_NONE = 0;
/** Real time: before everything else. Needs privileges. */
export const IOPRIO_CLASS_RT = 1;
/** Best effort: the usual class. */
export const IOPRIO_CLASS_BE = 2;
/** Only when nobody else needs the device. */
export const IOPRIO_CLASS_IDLE = 3;
