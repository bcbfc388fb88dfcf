import { assert, assertEquals, assertLess } from "@std/assert";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  IORING_FSYNC_DATASYNC,
  IOSQE_ASYNC,
  IOSQE_IO_LINK,
  isSystemError,
  MADV_DONTNEED,
  MADV_WILLNEED,
  Memory,
  O_RDONLY,
  O_RDWR,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NORMAL,
  POSIX_FADV_WILLNEED,
  SYNC_FILE_RANGE_WRITE,
  SYNC_FILE_RANGE_WRITE_AND_WAIT,
} from "../../ffi/mod.ts";
import {
  fadvise,
  fallocate,
  fixedFile,
  fsync,
  ftruncate,
  madvise,
  opcodes,
  run,
  statx,
  syncFileRange,
  write,
} from "../../ops/mod.ts";
import {
  failure,
  open,
  pattern,
  Pipe,
  TemporaryDirectory,
} from "../support/files.ts";
import { Sqe } from "../../ring/sqe.ts";
import { canReserve } from "../support/memory.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

eachRing(
  "fsync: whole, only the data, a part",
  { needs: ["fsync"] },
  (ring) => {
    using directory = new TemporaryDirectory();
    using file = open(ring, directory.file("f", "data"), O_RDWR);
    const flags = IORING_FSYNC_DATASYNC;
    for (
      const op of [
        fsync(file.fd),
        fsync(file.fd, { flags }),
        fsync(file.fd, { offset: 1, length: 2 }),
        fsync(file.fd, { offset: 2 ** 40, flags }),
      ]
    ) {
      assertEquals(run(ring, op), undefined);
    }
    failure("EINVAL", () => run(ring, fsync(file.fd, { flags: 2 })));
    failure("EBADF", () => run(ring, fsync(9999)));
    using pipe = new Pipe();
    failure("EINVAL", () => run(ring, fsync(pipe.reader)));
  },
);

Deno.test("fsync: a length of 0 is up to the end, from wherever it begins", () => {
  // The kernel ends at offset + length, unless that is 0.
  const sqe = new Sqe(new ArrayBuffer(64));
  fsync(3, { offset: 4096 }).encode(sqe);
  assertEquals([sqe.off, sqe.len], [0n, 0]);
  fsync(3, { offset: 4096, length: 1 }).encode(sqe);
  assertEquals([sqe.off, sqe.len], [4096n, 1]);
});

eachRing("fsync: behind a write, in a chain", {
  needs: ["fsync", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const results = runAll(
    ring,
    [write(file.fd, pattern(5000)), IOSQE_IO_LINK],
    [fsync(file.fd)],
  );
  assertEquals([...results], [[1, 5000], [2, 0]]);
});

eachRing("syncFileRange: starts and waits", {
  needs: ["syncFileRange"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", pattern(9000)), O_RDWR);
  run(ring, syncFileRange(file.fd, SYNC_FILE_RANGE_WRITE));
  const part = { offset: 4096, length: 4096 };
  run(ring, syncFileRange(file.fd, SYNC_FILE_RANGE_WRITE_AND_WAIT, part));
  failure("EINVAL", () => run(ring, syncFileRange(file.fd, 0x100)));
  using pipe = new Pipe();
  failure("ESPIPE", () => run(ring, syncFileRange(pipe.reader, 0)));
});

eachRing("fallocate: grows, keeps the size, makes holes", {
  needs: ["fallocate"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", pattern(12288));
  using file = open(ring, path, O_RDWR);
  run(ring, fallocate(file.fd, 0, 12288, 4096n));
  assertEquals(Deno.statSync(path).size, 16384);
  run(ring, fallocate(file.fd, FALLOC_FL_KEEP_SIZE, 0, 65536));
  assertEquals(Deno.statSync(path).size, 16384);
  assert((Deno.statSync(path).blocks ?? 0) * 512 >= 65536);
  const hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  run(ring, fallocate(file.fd, hole, 4096, 4096));
  const data = Deno.readFileSync(path);
  assertEquals(data.subarray(0, 4096), pattern(12288).subarray(0, 4096));
  assertEquals(data.subarray(4096, 8192), new Uint8Array(4096));
  assertEquals(data.subarray(8192, 12288), pattern(12288).subarray(8192));
});

eachRing("fallocate: refused", { needs: ["fallocate"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const most = 2n ** 63n - 1n;
  failure("EFBIG", () => run(ring, fallocate(file.fd, 0, 1, most)));
  failure("EOPNOTSUPP", () => run(ring, fallocate(file.fd, 0x4000, 0, 1)));
  using input = open(ring, directory.join("f"), O_RDONLY);
  failure("EBADF", () => run(ring, fallocate(input.fd, 0, 0, 1)));
  using pipe = new Pipe();
  failure("ESPIPE", () => run(ring, fallocate(pipe.writer, 0, 0, 1)));
});

eachRing("fadvise: taken, of any length that the kernel knows", {
  needs: ["fadvise"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", pattern(100_000)), O_RDONLY);
  for (
    const advice of [
      POSIX_FADV_NORMAL,
      POSIX_FADV_WILLNEED,
      POSIX_FADV_DONTNEED,
    ]
  ) {
    for (const flags of [0, IOSQE_ASYNC]) {
      run(ring, fadvise(file.fd, 0, 0, advice), { flags });
      run(ring, fadvise(file.fd, 4096, 0xffff_ffff, advice), { flags });
    }
  }
  failure("EINVAL", () => run(ring, fadvise(file.fd, 0, 0, 99)));
  using pipe = new Pipe();
  const op = fadvise(pipe.reader, 0, 0, POSIX_FADV_NORMAL);
  failure("ESPIPE", () => run(ring, op));
});

// 64-bit lengths came with 6.11, as bind did.
eachRing("fadvise: 4 GiB and more", { needs: ["fadvise", "bind"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "data"), O_RDONLY);
  for (const length of [2 ** 32, 2n ** 62n]) {
    run(ring, fadvise(file.fd, 0, length, POSIX_FADV_WILLNEED));
  }
});

eachRing("madvise: memory that is given back reads as zeros", {
  needs: ["madvise"],
}, (ring) => {
  using memory = new Memory(16384);
  memory.bytes.fill(1);
  const middle = memory.bytes.subarray(4096, 8192);
  run(ring, madvise(middle, MADV_DONTNEED));
  assertEquals(memory.bytes.subarray(0, 4096), new Uint8Array(4096).fill(1));
  assertEquals(middle, new Uint8Array(4096));
  assertEquals(memory.bytes[8192], 1);
  run(ring, madvise(memory.bytes, MADV_WILLNEED));
});

eachRing("madvise: refused", { needs: ["madvise"] }, (ring) => {
  using memory = new Memory(8192);
  const odd = memory.bytes.subarray(1);
  failure("EINVAL", () => run(ring, madvise(odd, MADV_WILLNEED)));
  failure("EINVAL", () => run(ring, madvise(memory.bytes, 9999)));
});

eachRing("madvise: 4 GiB and more", {
  needs: ["madvise", "bind"],
  when: canReserve(2 ** 32 + 4096),
}, (ring) => {
  // Reserved, not touched: no memory is spent.
  using memory = new Memory(2 ** 32 + 4096);
  const bytes = memory.bytes;
  bytes[0] = bytes[2 ** 32] = 1;
  run(ring, madvise(bytes, MADV_DONTNEED));
  assertEquals([bytes[0], bytes[2 ** 32]], [0, 0]);
});

eachRing("ftruncate: cuts and grows", { needs: ["ftruncate"] }, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "0123456789");
  using file = open(ring, path, O_RDWR);
  run(ring, ftruncate(file.fd, 4));
  assertEquals(Deno.readTextFileSync(path), "0123");
  run(ring, ftruncate(file.fd, 6n), { flags: IOSQE_ASYNC });
  assertEquals(Deno.readTextFileSync(path), "0123\0\0");
  run(ring, ftruncate(file.fd, 2 ** 40));
  assertEquals(run(ring, statx(path)).size, 2 ** 40);
  assertLess(run(ring, statx(path)).blocks * 512, 2 ** 20);
  run(ring, ftruncate(file.fd, 0));
  assertEquals(Deno.statSync(path).size, 0);
});

eachRing("ftruncate: refused", { needs: ["ftruncate"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using input = open(ring, directory.file("f"), O_RDONLY);
  failure("EINVAL", () => run(ring, ftruncate(input.fd, 1)));
  using folder = open(ring, directory.path, O_RDONLY);
  failure("EINVAL", () => run(ring, ftruncate(folder.fd, 1)));
  using file = open(ring, directory.join("f"), O_RDWR);
  // File systems disagree on what is too long for a file.
  const long = 2n ** 62n;
  let code = "";
  try {
    run(ring, ftruncate(file.fd, long));
  } catch (error) {
    code = isSystemError(error) ? error.code : String(error);
  }
  const taken = Deno.statSync(directory.join("f")).size === Number(long);
  assertEquals(code, taken ? "" : "EFBIG");
});

eachRing("registered files: synced, allocated, advised, cut", {
  needs: ["fsync", "fallocate", "fadvise", "syncFileRange"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f", "data");
  using file = open(ring, path, O_RDWR);
  ring.files.register([file.fd]);
  const there = fixedFile(0);
  run(ring, fsync(there));
  run(ring, syncFileRange(there, SYNC_FILE_RANGE_WRITE));
  run(ring, fallocate(there, 0, 0, 1000));
  run(ring, fadvise(there, 0, 0, POSIX_FADV_NORMAL));
  assertEquals(Deno.statSync(path).size, 1000);
  if (opcodes.ftruncate.supported()) run(ring, ftruncate(there, 5));
  ring.files.unregister();
});
