/** What of a file is in the page cache. */

import { O_RDONLY, POSIX_FADV_DONTNEED } from "../../ffi/mod.ts";
import { fadvise, fsync } from "../../ops/file.ts";
import { run } from "../../ops/run.ts";
import { read } from "../../ops/rw.ts";
import { Ring } from "../../ring/mod.ts";
import { open, TemporaryDirectory } from "./files.ts";

// long syscall(long number, int fd, struct cachestat_range *, struct cachestat *, unsigned flags)
const { syscall } = Deno.dlopen("libc.so.6", {
  syscall: {
    parameters: ["i64", "i32", "buffer", "buffer", "u32"],
    result: "i64",
  },
}).symbols;
const __NR_cachestat = 451;

const PATIENCE = 40;
const nap = new Int32Array(new SharedArrayBuffer(4));

/**
 * Drops a file's pages from the page cache, after they were written. What somebody looks at just then
 * stays, and with it all of a large folio: so again, a few times.
 */
export function drop(ring: Ring, fd: number, offset = 0, length = 0): void {
  run(ring, fsync(fd));
  for (let times = 0; times < PATIENCE; times++) {
    run(ring, fadvise(fd, offset, length, POSIX_FADV_DONTNEED));
    if (cachedPages(fd, offset, length) === 0) return;
    Atomics.wait(nap, 0, 0, 5);
  }
}

/** How many pages of a file are in the page cache; 0 before Linux 6.5, which does not tell. */
function cachedPages(fd: number, offset: number, length: number): number {
  const range = BigUint64Array.of(BigInt(offset), BigInt(length));
  const counts = new BigUint64Array(5);
  const answer = syscall(
    BigInt(__NR_cachestat),
    fd,
    new Uint8Array(range.buffer),
    new Uint8Array(counts.buffer),
    0,
  );
  return answer < 0 ? 0 : Number(counts[0]);
}

/** Whether temporary files are on a disk: a file system in memory keeps its pages. */
export function onDisk(): boolean {
  using ring = new Ring(4);
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("probe", "probe"), O_RDONLY);
  const probe = read(file.fd, new Uint8Array(1), { offset: 0, cached: "only" });
  // A fast disk now and then has it before the read that asks is over.
  return [1, 2, 3].some(() => {
    drop(ring, file.fd);
    return run(ring, probe) === null;
  });
}
