/**
 * The C library's symbols, loaded once for each isolate.
 *
 * V8 compiles a call to a foreign function well only while the call site sees one
 * function object; a second `dlopen` would make a second one and every call thirty
 * times slower. So there is one handle, made at first use and never closed.
 *
 * @module
 */

const symbols = {
  /** Returns its first argument: the cheapest way to learn where a view's memory is. */
  memset: { parameters: ["buffer", "i32", "usize"], result: "u64" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  /** int poll(struct pollfd *fds, nfds_t nfds, int timeout) */
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  isatty: { parameters: ["i32"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  /** int fcntl(int fd, int cmd, int arg) */
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** int ioctl(int fd, unsigned long request, int argument) */
  ioctl: { parameters: ["i32", "usize", "i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  /** The same, waiting in a thread. */
  flock_thread: {
    name: "flock",
    parameters: ["i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  fchownat: {
    parameters: ["i32", "buffer", "u32", "u32", "i32"],
    result: "i32",
  },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  utimensat: {
    parameters: ["i32", "buffer", "buffer", "i32"],
    result: "i32",
  },
  flistxattr: { parameters: ["i32", "buffer", "usize"], result: "i64" },
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "i64" },
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  /** char *realpath(const char *path, char *resolved): NULL if it fails */
  realpath: { parameters: ["buffer", "buffer"], result: "pointer" },
  /** int mknod(const char *path, mode_t mode, dev_t dev), a function since glibc 2.33 */
  mknod: {
    parameters: ["buffer", "u32", "u64"],
    result: "i32",
    optional: true,
  },
  sysconf: { parameters: ["i32"], result: "i64" },
  /** io_uring_setup(unsigned entries, struct io_uring_params *p) */
  io_uring_setup: {
    name: "syscall",
    parameters: ["i32", "u32", "buffer"],
    result: "i32",
  },
  /** io_uring_enter(unsigned fd, to_submit, min_complete, flags, const void *arg, size_t) */
  io_uring_enter: {
    name: "syscall",
    parameters: ["i32", "u32", "u32", "u32", "u32", "usize", "usize"],
    result: "i32",
  },
  /** io_uring_register(unsigned fd, unsigned opcode, void *arg, unsigned nr_args) */
  io_uring_register: {
    name: "syscall",
    parameters: ["i32", "u32", "u32", "usize", "u32"],
    result: "i32",
  },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  if_indextoname: { parameters: ["u32", "buffer"], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of the C library that this package calls. */
export type LibC = Deno.StaticForeignLibraryInterface<typeof symbols>;

let loaded: LibC | undefined;
let errnoWord: Int32Array | undefined;

/**
 * The C library's functions. Asks for `--allow-ffi` at the first call.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 */
export function libc(): LibC {
  return loaded ??= Deno.dlopen("libc.so.6", symbols).symbols;
}

/**
 * `errno` of this thread, as the call just made left it. Meaningful only directly after
 * a call that said it failed: nothing may run between the two.
 */
export function errno(): number {
  return errnoView()[0] as number;
}

/**
 * Maps `errno` ahead of the first call that may need it: looking up its address later
 * could run code that changes it.
 */
export function errnoView(): Int32Array {
  if (errnoWord === undefined) {
    const location = libc().__errno_location();
    if (location === null) {
      throw new Error("libc: __errno_location answered NULL.");
    }
    errnoWord = new Int32Array(
      Deno.UnsafePointerView.getArrayBuffer(location, 4),
    );
  }
  return errnoWord;
}
