import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  IOSQE_ASYNC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_DIOALIGN,
  STATX_MNT_ID,
  STATX_SIZE,
  STATX_TYPE,
} from "../../ffi/mod.ts";
import {
  linkat,
  mkdirat,
  renameat,
  run,
  type Statx,
  statx,
  symlinkat,
  unlinkat,
} from "../../ops/mod.ts";
import { failure, open, TemporaryDirectory } from "../support/files.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

function wholeSeconds(time: Date | null): Date | null {
  return time && new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** What both statx and Deno tell of a file. */
function common(stat: Statx): Deno.FileInfo {
  return {
    isFile: stat.isFile,
    isDirectory: stat.isDirectory,
    isSymlink: stat.isSymlink,
    size: stat.size,
    mtime: stat.mtime,
    atime: stat.atime,
    birthtime: stat.birthtime,
    // Deno's own has whole seconds only.
    ctime: wholeSeconds(stat.ctime),
    dev: stat.dev,
    ino: stat.ino,
    mode: stat.mode,
    nlink: stat.nlink,
    uid: stat.uid,
    gid: stat.gid,
    rdev: stat.rdev,
    blksize: stat.blksize,
    blocks: stat.blocks,
    isBlockDevice: stat.isBlockDevice,
    isCharDevice: stat.isCharDevice,
    isFifo: stat.isFifo,
    isSocket: stat.isSocket,
  };
}

/** A later Deno may tell the milliseconds too. */
function deno(info: Deno.FileInfo): Deno.FileInfo {
  return { ...info, ctime: wholeSeconds(info.ctime) };
}

eachRing("statx: what Deno.statSync tells, of every kind of file", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const file = directory.file("f", "x".repeat(12345));
  Deno.symlinkSync("f", directory.join("link"));
  using socket = Deno.listen({
    transport: "unix",
    path: directory.join("socket"),
  });
  assert(socket.addr.transport === "unix");
  const paths = [file, directory.path, "/dev/null", "/proc/self/comm", "/"];
  for (const path of [...paths, directory.join("socket")]) {
    for (const flags of [0, IOSQE_ASYNC]) {
      const stat = run(ring, statx(path), { flags });
      assertEquals(common(stat), deno(Deno.statSync(path)), path);
    }
  }
  const link = directory.join("link");
  assertEquals(run(ring, statx(link)).size, 12345);
  const itself = run(ring, statx(link, { flags: AT_SYMLINK_NOFOLLOW }));
  assertEquals(common(itself), deno(Deno.lstatSync(link)));
  assert(itself.isSymlink);
});

eachRing("statx: what Deno.FileInfo has no field for", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "12345");
  const stat = run(ring, statx(path));
  assertEquals(stat.sizeBigInt, 5n);
  assertEquals(stat.inoBigInt, BigInt(stat.ino));
  assertEquals(stat.blocksBigInt, BigInt(stat.blocks));
  assertEquals(stat.mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  const milliseconds = Number(stat.mtimeNanoseconds / 1_000_000n);
  assertEquals(stat.mtime?.getTime(), milliseconds);
  assertEquals((stat.mask & STATX_BTIME) === 0, stat.birthtime === null);
  const zero = run(ring, statx("/dev/zero"));
  assertEquals([zero.rdevMajor, zero.rdevMinor], [1, 5]);
  assertEquals(zero.rdev, (1 << 8) | 5);
});

eachRing("statx: times to the nanosecond, before 1970 too", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  Deno.utimeSync(path, 1_600_000_000.5, -86_400.25);
  const { atimeNanoseconds, atime, mtime, mtimeNanoseconds } = run(
    ring,
    statx(path),
  );
  assertEquals(atimeNanoseconds, 1_600_000_000_500_000_000n);
  assertEquals(atime, new Date(1_600_000_000_500));
  assertEquals(mtimeNanoseconds, BigInt((mtime ?? 0).valueOf()) * 1_000_000n);
  assert(mtimeNanoseconds < 0n, `${mtimeNanoseconds}`);
});

eachRing("statx: a size that takes more than 32 bits", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  Deno.truncateSync(path, 10 * 2 ** 30 + 1);
  const { size, sizeBigInt, blocks } = run(ring, statx(path));
  assertEquals([size, sizeBigInt], [10737418241, 10737418241n]);
  assert(blocks * 512 < 2 ** 20);
});

eachRing("statx: by directory, by descriptor, by mask", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "123");
  using folder = open(ring, directory.path, O_PATH | O_DIRECTORY);
  using file = open(ring, path, O_RDONLY);
  const ino = Deno.statSync(path).ino;
  const relative = statx("f", { dirfd: folder.fd });
  assertEquals(run(ring, relative).ino, ino);
  const open_ = statx("", { dirfd: file.fd, flags: AT_EMPTY_PATH });
  assertEquals(run(ring, open_).ino, ino);
  const some = run(ring, statx(path, { mask: STATX_TYPE | STATX_SIZE }));
  assert(some.isFile);
  assertEquals(some.size, 3);
});

eachRing("statx: mount id and O_DIRECT's alignment, where known", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "123");
  const mask = STATX_MNT_ID | STATX_DIOALIGN;
  const stat = run(ring, statx(path, { mask }));
  if ((stat.mask & STATX_MNT_ID) !== 0) {
    const mounts = Deno.readTextFileSync("/proc/self/mountinfo").split("\n");
    assert(mounts.some((line) => line.startsWith(`${stat.mountId} `)));
  }
  if ((stat.mask & STATX_DIOALIGN) === 0) assertEquals(stat.dioMemAlign, 0);
  else assert(Number.isInteger(Math.log2(stat.dioMemAlign || 1)));
});

eachRing("statx: refused", { needs: ["statx"] }, (ring) => {
  using directory = new TemporaryDirectory();
  const missing = directory.join("no");
  const error = failure("ENOENT", () => run(ring, statx(missing)));
  assertInstanceOf(error, Deno.errors.NotFound);
  assertEquals([error.op, error.path], ["statx", missing]);
  failure("ENOENT", () => run(ring, statx("")));
  const odd = statx(directory.path, { flags: 0x10_0000 });
  failure("EINVAL", () => run(ring, odd));
  const reserved = statx(directory.path, { mask: 0x8000_0000 });
  failure("EINVAL", () => run(ring, reserved));
});

eachRing("statx: many in flight, each its own result", {
  needs: ["statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const paths = Array.from(
    { length: 30 },
    (_, i) => directory.file(`${i}`, "x".repeat(i)),
  );
  const results = runAll(ring, ...paths.map((path) => [statx(path)] as const));
  assertEquals([...results.values()], paths.map(() => 0));
  assertEquals(
    paths.map((path) => run(ring, statx(path)).size),
    paths.map((_, i) => i),
  );
});

eachRing("unlinkat: files, directories, links", {
  needs: ["unlinkat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const file = directory.file("f");
  Deno.mkdirSync(directory.join("d"));
  directory.file("d/inside");
  Deno.symlinkSync("d", directory.join("link"));
  const flags = AT_REMOVEDIR;

  failure("EISDIR", () => run(ring, unlinkat(directory.join("d"))));
  failure("ENOTDIR", () => run(ring, unlinkat(file, { flags })));
  const full = unlinkat(directory.join("d"), { flags });
  failure("ENOTEMPTY", () => run(ring, full));
  failure(
    "ENOTDIR",
    () => run(ring, unlinkat(directory.join("link"), { flags })),
  );
  run(ring, unlinkat(directory.join("link")));
  run(ring, unlinkat(file));
  failure("ENOENT", () => run(ring, unlinkat(file)));
  using folder = open(ring, directory.join("d"), O_PATH);
  run(ring, unlinkat("inside", { dirfd: folder.fd }), { flags: IOSQE_ASYNC });
  run(ring, full);
  assertEquals([...Deno.readDirSync(directory.path)], []);
  failure("EINVAL", () => run(ring, unlinkat(file, { flags: 0x8000 })));
});

eachRing("renameat: moves, replaces, refuses, swaps", {
  needs: ["renameat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const [a, b] = [directory.file("a", "A"), directory.file("b", "B")];
  const flags = RENAME_NOREPLACE;
  const taken = failure("EEXIST", () => run(ring, renameat(a, b, { flags })));
  assertEquals([taken.op, taken.path], ["renameat", a]);
  assertStringIncludes(taken.message, `'${b}'`);
  run(ring, renameat(a, b, { flags: RENAME_EXCHANGE }));
  assertEquals([a, b].map((path) => Deno.readTextFileSync(path)), ["B", "A"]);
  run(ring, renameat(a, b));
  assertEquals(Deno.readTextFileSync(b), "B");
  failure("ENOENT", () => run(ring, renameat(a, b)));
  Deno.mkdirSync(directory.join("d"));
  using from = open(ring, directory.path, O_PATH);
  using to = open(ring, directory.join("d"), O_PATH);
  const across = { oldDirfd: from.fd, newDirfd: to.fd };
  run(ring, renameat("b", "c", across), { flags: IOSQE_ASYNC });
  assertEquals(Deno.readTextFileSync(directory.join("d/c")), "B");
  const strange = renameat(directory.join("d/c"), "/dev/shm/uring-test-c");
  const inside = renameat(directory.join("d"), directory.join("d/e"));
  failure("EINVAL", () => run(ring, inside));
  if (Deno.statSync("/dev/shm").dev !== Deno.statSync(directory.path).dev) {
    failure("EXDEV", () => run(ring, strange));
  }
});

eachRing("mkdirat: with a mode, in a directory, once", {
  needs: ["mkdirat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("d");
  run(ring, mkdirat(path, { mode: 0o750 }));
  const { isDirectory, mode } = Deno.statSync(path);
  assert(isDirectory);
  assertEquals((mode ?? 0) & 0o777, 0o750 & ~Deno.umask());
  const taken = failure("EEXIST", () => run(ring, mkdirat(path)));
  assertInstanceOf(taken, Deno.errors.AlreadyExists);
  assertEquals(taken.path, path);
  using folder = open(ring, path, O_PATH);
  const inner = mkdirat("e", { dirfd: folder.fd });
  run(ring, inner, { flags: IOSQE_ASYNC });
  assertEquals(
    (Deno.statSync(path + "/e").mode ?? 0) & 0o777,
    0o777 & ~Deno.umask(),
  );
  failure("ENOENT", () => run(ring, mkdirat(path + "/no/such")));
});

eachRing("symlinkat: says what it was told, true or not", {
  needs: ["symlinkat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("link");
  run(ring, symlinkat("no/such/thing ü", path));
  assertEquals(Deno.readLinkSync(path), "no/such/thing ü");
  const taken = failure("EEXIST", () => run(ring, symlinkat("x", path)));
  assertEquals([taken.op, taken.path], ["symlinkat", path]);
  failure("ENOENT", () => run(ring, symlinkat("", directory.join("l2"))));
  using folder = open(ring, directory.path, O_PATH);
  const relative = symlinkat("target", "l3", { dirfd: folder.fd });
  run(ring, relative, { flags: IOSQE_ASYNC });
  assertEquals(Deno.readLinkSync(directory.join("l3")), "target");
});

eachRing("linkat: one more name, of the file or of the link", {
  needs: ["linkat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "shared");
  Deno.symlinkSync("f", directory.join("link"));
  run(ring, linkat(path, directory.join("g")));
  assertEquals(Deno.statSync(path).nlink, 2);
  const flags = AT_SYMLINK_FOLLOW;
  const followed = linkat(directory.join("link"), directory.join("h"), {
    flags,
  });
  run(ring, followed, { flags: IOSQE_ASYNC });
  assert(Deno.lstatSync(directory.join("h")).isFile);
  using folder = open(ring, directory.path, O_PATH);
  const { fd } = folder;
  run(ring, linkat("link", "i", { oldDirfd: fd, newDirfd: fd }));
  assert(Deno.lstatSync(directory.join("i")).isSymlink);
  const taken = failure(
    "EEXIST",
    () => run(ring, linkat(path, directory.join("g"))),
  );
  assertStringIncludes(taken.message, directory.join("g"));
  failure(
    "EPERM",
    () => run(ring, linkat(directory.path, directory.join("dir"))),
  );
});
