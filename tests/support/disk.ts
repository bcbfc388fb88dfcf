/** What of a file is in the page cache. */

import { O_RDONLY, POSIX_FADV_DONTNEED } from "../../ffi/mod.ts";
import { fadvise, fsync } from "../../ops/file.ts";
import { run } from "../../ops/run.ts";
import { read } from "../../ops/rw.ts";
import { Ring } from "../../ring/mod.ts";
import { open, TemporaryDirectory } from "./files.ts";

/** Drops a file's pages from the page cache, after they were written. */
export function drop(ring: Ring, fd: number, offset = 0, length = 0): void {
  run(ring, fsync(fd));
  run(ring, fadvise(fd, offset, length, POSIX_FADV_DONTNEED));
}

/** Whether temporary files are on a disk: a file system in memory keeps its pages. */
export function onDisk(): boolean {
  using ring = new Ring(4);
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("probe", "probe"), O_RDONLY);
  drop(ring, file.fd);
  const probe = read(file.fd, new Uint8Array(1), { offset: 0, cached: "only" });
  return run(ring, probe) === null;
}
