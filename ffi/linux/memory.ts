/**
 * Constants of memory: mmap(2), madvise(2), resource limits.
 *
 * @module
 */

// Access to mapped memory: mmap(2)

/** No access. */
export const PROT_NONE = 0;
/** Readable. */
export const PROT_READ = 1;
/** Writable. */
export const PROT_WRITE = 2;
/** Executable. */
export const PROT_EXEC = 4;

// Kinds of mappings: mmap(2)

/** Writes go to the file and to every other mapping of it. */
export const MAP_SHARED = 1;
/** Writes stay in this mapping. */
export const MAP_PRIVATE = 2;
/** As MAP_SHARED, but unknown flags fail with EOPNOTSUPP. */
export const MAP_SHARED_VALIDATE = 3;
/** At exactly this address, replacing what is there. */
export const MAP_FIXED = 0x10;
/** Zeros instead of a file. */
export const MAP_ANONYMOUS = 0x20;
/** Reserve no swap space. */
export const MAP_NORESERVE = 0x4000;
/** Lock the pages in memory. */
export const MAP_LOCKED = 0x2000;
/** Fault the pages in at once. */
export const MAP_POPULATE = 0x8000;
/** Without effect: memory for a stack. */
export const MAP_STACK = 0x20000;
/** Use huge pages of the reserved pool. */
export const MAP_HUGETLB = 0x40000;
/** Writes to a DAX file are durable; needs MAP_SHARED_VALIDATE. */
export const MAP_SYNC = 0x80000;
/** At exactly this address, or EEXIST. */
export const MAP_FIXED_NOREPLACE = 0x100000;
/** With MAP_HUGETLB: the page size's base-2 logarithm stands from this bit on. */
export const MAP_HUGE_SHIFT = 26;
/** The bits of that logarithm, once shifted down. */
export const MAP_HUGE_MASK = 0x3f;

// madvise(2)

/** No particular pattern. */
export const MADV_NORMAL = 0;
/** Random order. */
export const MADV_RANDOM = 1;
/** From low to high. */
export const MADV_SEQUENTIAL = 2;
/** Soon needed: read it now. */
export const MADV_WILLNEED = 3;
/** Drop the pages: they read as zeros or as the file. */
export const MADV_DONTNEED = 4;
/** The kernel may drop the pages when it likes. */
export const MADV_FREE = 8;
/** Punch a hole in the file behind the mapping. */
export const MADV_REMOVE = 9;
/** A forked child does not get the range. */
export const MADV_DONTFORK = 10;
/** Undo MADV_DONTFORK. */
export const MADV_DOFORK = 11;
/** Pages with equal contents may be merged. */
export const MADV_MERGEABLE = 12;
/** Undo MADV_MERGEABLE. */
export const MADV_UNMERGEABLE = 13;
/** Back the range with huge pages. */
export const MADV_HUGEPAGE = 14;
/** Do not back the range with huge pages. */
export const MADV_NOHUGEPAGE = 15;
/** Leave the range out of core dumps. */
export const MADV_DONTDUMP = 16;
/** Undo MADV_DONTDUMP. */
export const MADV_DODUMP = 17;
/** A forked child sees zeros. */
export const MADV_WIPEONFORK = 18;
/** Undo MADV_WIPEONFORK. */
export const MADV_KEEPONFORK = 19;
/** Not used soon: reclaim it first. Since 5.4. */
export const MADV_COLD = 20;
/** Reclaim it now. Since 5.4. */
export const MADV_PAGEOUT = 21;
/** Fault the pages in for reading. Since 5.14. */
export const MADV_POPULATE_READ = 22;
/** Fault the pages in for writing. Since 5.14. */
export const MADV_POPULATE_WRITE = 23;
/** MADV_DONTNEED for locked pages too. Since 5.18. */
export const MADV_DONTNEED_LOCKED = 24;
/** Treat the page as broken memory, for tests. Needs CAP_SYS_ADMIN. */
export const MADV_HWPOISON = 100;

// Resource limits: getrlimit(2)

/** How many bytes may be locked in memory: registered buffers count, before 5.12 the rings too. */
export const RLIMIT_MEMLOCK = 8;
/** No limit. */
export const RLIM_INFINITY = 18446744073709551615n;
