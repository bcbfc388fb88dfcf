import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  IORING_FILE_INDEX_ALLOC,
  IOSQE_ASYNC,
  IOSQE_IO_LINK,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../ffi/mod.ts";
import {
  close,
  closeDirect,
  fixedFile,
  openat,
  openat2,
  openat2Direct,
  openatDirect,
  read,
  run,
  statx,
  write,
} from "../../ops/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import { failure, open, TemporaryDirectory } from "../support/files.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { openFiles } from "../support/sockets.ts";

function readText(ring: Ring, fd: Parameters<typeof read>[0]): string {
  const buffer = new Uint8Array(4096);
  const length = run(ring, read(fd, buffer, { offset: 0 }));
  return new TextDecoder().decode(buffer.subarray(0, length));
}

eachRing("openat: reads, makes, empties, refuses to replace", {
  needs: ["openat", "close"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("f");
  for (const flags of [0, IOSQE_ASYNC]) {
    const make = openat(path, O_WRONLY | O_CREAT | O_EXCL, { mode: 0o640 });
    const fd = run(ring, make, { flags });
    run(ring, write(fd, new TextEncoder().encode("content")));
    run(ring, close(fd), { flags });
    const { mode } = Deno.statSync(path);
    assertEquals((mode ?? 0) & 0o7777, 0o640 & ~Deno.umask());
    const taken = failure("EEXIST", () => run(ring, make));
    assertInstanceOf(taken, Deno.errors.AlreadyExists);
    assertEquals([taken.op, taken.path], ["openat", path]);
    {
      using file = open(ring, path, O_RDONLY);
      assertEquals(readText(ring, file.fd), "content");
    }
    run(ring, close(run(ring, openat(path, O_RDWR | O_TRUNC))));
    assertEquals(Deno.statSync(path).size, 0);
    Deno.removeSync(path);
  }
});

eachRing("openat: paths that are not there, too long, empty, no directory", {
  needs: ["openat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const file = directory.file("f");
  const missing = directory.join("no/such");
  const error = failure("ENOENT", () => run(ring, openat(missing, O_RDONLY)));
  assertInstanceOf(error, Deno.errors.NotFound);
  assertEquals(
    error.message,
    `openat '${missing}': no such file or directory (ENOENT)`,
  );
  failure("ENOENT", () => run(ring, openat("", O_RDONLY)));
  failure("ENOTDIR", () => run(ring, openat(file + "/x", O_RDONLY)));
  failure("ENOTDIR", () => run(ring, openat(file, O_DIRECTORY)));
  failure("EISDIR", () => run(ring, openat(directory.path, O_WRONLY)));
  const long = directory.join("n".repeat(256));
  failure("ENAMETOOLONG", () => run(ring, openat(long, O_RDONLY)));
  const longer = "/a".repeat(20_000);
  failure("ENAMETOOLONG", () => run(ring, openat(longer, O_RDONLY)));
});

eachRing("openat: relative to a directory; a URL; any bytes; a link", {
  needs: ["openat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  directory.file("ein Grüß.txt", "umlauts");
  using folder = open(ring, directory.path, O_PATH | O_DIRECTORY);
  const { fd: dirfd } = folder;
  const relative = openat("ein Grüß.txt", O_RDONLY, { dirfd });
  const fd = run(ring, relative);
  assertEquals(readText(ring, fd), "umlauts");
  run(ring, close(fd));
  const url = new URL("file://" + directory.join("ein%20Gr%C3%BC%C3%9F.txt"));
  run(ring, close(run(ring, openat(url, O_RDONLY))));
  const bytes = Uint8Array.of(0xff, 0xfe, 0x41);
  run(ring, close(run(ring, openat(bytes, O_CREAT | O_WRONLY, { dirfd }))));
  run(ring, close(run(ring, openat(bytes, O_RDONLY, { dirfd }))));
  Deno.symlinkSync("ein Grüß.txt", directory.join("link"));
  const noFollow = openat("link", O_NOFOLLOW, { dirfd });
  failure("ELOOP", () => run(ring, noFollow));
  failure("EBADF", () => run(ring, openat("x", O_RDONLY, { dirfd: 9999 })));
});

eachRing("openat: a file without a name", { needs: ["openat"] }, (ring) => {
  using directory = new TemporaryDirectory();
  const fd = run(ring, openat(directory.path, O_TMPFILE | O_RDWR));
  assertEquals(run(ring, write(fd, new Uint8Array(5))), 5);
  assertEquals([...Deno.readDirSync(directory.path)], []);
  run(ring, close(fd));
});

eachRing("close: once; an O_PATH file too; not again", {
  needs: ["close"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const fd = run(ring, openat(directory.file("f"), O_PATH));
  assertEquals(run(ring, close(fd)), undefined);
  failure("EBADF", () => run(ring, close(fd)));
  failure("EBADF", () => run(ring, read(fd, new Uint8Array(1))));
});

eachRing("openat2: opens and makes; mode only where it makes sense", {
  needs: ["openat2"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("f");
  const how = { flags: O_CREAT | O_RDWR | O_CLOEXEC };
  run(ring, close(run(ring, openat2(path, how))));
  const { mode } = Deno.statSync(path);
  assertEquals((mode ?? 0) & 0o7777, 0o666 & ~Deno.umask());
  run(ring, close(run(ring, openat2(path, { flags: BigInt(O_RDONLY) }))));
  const odd = openat2(path, { flags: O_RDONLY, mode: 0o600 });
  failure("EINVAL", () => run(ring, odd));
  failure("EINVAL", () => run(ring, openat2(path, { flags: 2n ** 40n })));
  const rule = openat2(path, { flags: O_RDONLY, resolve: 2n ** 40n });
  failure("EINVAL", () => run(ring, rule));
});

eachRing("openat2: rules for the path", { needs: ["openat2"] }, (ring) => {
  using directory = new TemporaryDirectory();
  Deno.mkdirSync(directory.join("root"));
  Deno.writeTextFileSync(directory.join("root/f"), "inside");
  directory.file("f", "outside");
  Deno.symlinkSync("f", directory.join("root/link"));
  using root = open(ring, directory.join("root"), O_PATH);
  const { fd: dirfd } = root;
  const opening = (path: string, resolve: number) =>
    openat2(path, { flags: O_RDONLY, resolve }, { dirfd });

  failure("EXDEV", () => run(ring, opening("../f", RESOLVE_BENEATH)));
  failure("EXDEV", () => run(ring, opening("/etc", RESOLVE_BENEATH)));
  failure("ELOOP", () => run(ring, opening("link", RESOLVE_NO_SYMLINKS)));
  failure("EXDEV", () => run(ring, opening("/proc/self", RESOLVE_NO_XDEV)));
  for (const path of ["f", "../f", "/f", "link"]) {
    const fd = run(ring, opening(path, RESOLVE_IN_ROOT));
    assertEquals(readText(ring, fd), "inside");
    run(ring, close(fd));
  }
});

// Direct descriptors came with 5.15, as mkdirat did.
eachRing("openatDirect: into a slot, used, replaced, closed", {
  needs: ["openat", "mkdirat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const [a, b] = [directory.file("a", "A"), directory.file("b", "B")];
  ring.files.registerSparse(4);
  const before = openFiles();
  for (const flags of [0, IOSQE_ASYNC]) {
    const file = run(ring, openatDirect(a, O_RDONLY, 2), { flags });
    assertEquals(file.index, 2);
    assertEquals(readText(ring, file), "A");
    const how = { flags: O_RDONLY };
    const other = run(ring, openat2Direct(b, how, 2), { flags });
    assertEquals(readText(ring, other), "B");
    run(ring, closeDirect(2), { flags });
    failure("EBADF", () => run(ring, read(file, new Uint8Array(1))));
    failure("EBADF", () => run(ring, closeDirect(2)));
  }
  assertEquals(openFiles(), before);
});

eachRing("openatDirect: no table, beyond it", {
  needs: ["openat", "mkdirat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  const none = failure(
    "ENXIO",
    () => run(ring, openatDirect(path, O_RDONLY, 0)),
  );
  assert(none.message.includes("Register a table"), none.message);
  ring.files.registerSparse(2);
  const beyond = failure(
    "EINVAL",
    () => run(ring, openatDirect(path, O_RDONLY, 2)),
  );
  assert(beyond.message.includes("beyond"), beyond.message);
  const missing = openatDirect(directory.join("no"), O_RDONLY, 0);
  failure("ENOENT", () => run(ring, missing));
});

// Slots of the kernel's choice came with 5.19, as sockets did.
eachRing("openatDirect: slots that the kernel chooses, until none is free", {
  needs: ["openat", "socket"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "chosen");
  ring.files.registerSparse(3);
  const op = openatDirect(path, O_RDONLY, IORING_FILE_INDEX_ALLOC);
  const files = [run(ring, op), run(ring, op), run(ring, op)];
  const indexes = files.map(({ index }) => index).sort();
  assertEquals(indexes, [0, 1, 2]);
  const full = failure("ENFILE", () => run(ring, op));
  assert(full.message.includes("No slot"), full.message);
  run(ring, close(fixedFile(1)));
  assertEquals(run(ring, op).index, 1);
  for (const file of files) assertEquals(readText(ring, file), "chosen");
});

eachRing("open, read, close: one chain on a direct descriptor", {
  needs: ["openat", "mkdirat"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "in one chain");
  ring.files.registerSparse(1);
  const buffer = new Uint8Array(100);
  for (let i = 0; i < 20; i++) {
    const results = runAll(
      ring,
      [openatDirect(path, O_RDONLY, 0), IOSQE_IO_LINK],
      [read(fixedFile(0), buffer.subarray(0, 12)), IOSQE_IO_LINK],
      [closeDirect(0)],
    );
    assertEquals([...results.values()], [0, 12, 0]);
  }
  assertEquals(
    new TextDecoder().decode(buffer.subarray(0, 12)),
    "in one chain",
  );
  const missing = runAll(
    ring,
    [openatDirect(path + ".no", O_RDONLY, 0), IOSQE_IO_LINK],
    [read(fixedFile(0), buffer), IOSQE_IO_LINK],
    [closeDirect(0)],
  );
  assertEquals([missing.get(1), missing.get(2), missing.get(3)], [
    -2,
    -125,
    -125,
  ]);
});

eachRing("openat: many paths in flight, each its own memory", {
  needs: ["openat", "statx"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const names = Array.from({ length: 30 }, (_, i) => `file-${i}`);
  const paths = names.map((name) => directory.file(name, name));
  const results = runAll(
    ring,
    ...paths.map((path) => [openat(path, O_RDONLY), IOSQE_ASYNC] as const),
  );
  names.forEach((name, i) => {
    const fd = results.get(i + 1) ?? -1;
    assertEquals(readText(ring, fd), name);
    const { ino } = run(ring, statx("", { dirfd: fd, flags: 0x1000 }));
    assertEquals(ino, Deno.statSync(directory.join(name)).ino);
    run(ring, close(fd));
  });
});
