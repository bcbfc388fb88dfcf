import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  IORING_FILE_INDEX_ALLOC,
  IOSQE_ASYNC,
  IOSQE_IO_LINK,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  SPLICE_F_NONBLOCK,
} from "../../ffi/mod.ts";
import {
  close,
  fixedFile,
  pipe,
  pipeDirect,
  read,
  run,
  splice,
  tee,
  write,
} from "../../ops/mod.ts";
import {
  failure,
  open,
  pattern,
  Pipe,
  TemporaryDirectory,
} from "../support/files.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

eachRing("splice: a file through a pipe to a file, at offsets", {
  needs: ["splice"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const data = pattern(50_000);
  using input = open(ring, directory.file("in", data), O_RDONLY);
  const path = directory.file("out");
  using output = open(ring, path, O_RDWR);
  using through = new Pipe();
  for (const flags of [0, IOSQE_ASYNC]) {
    const enter = splice(input.fd, through.writer, 20_000, { offsetIn: 1000 });
    assertEquals(run(ring, enter, { flags }), 20_000);
    const leave = splice(through.reader, output.fd, 20_000, {
      offsetOut: 3n,
    });
    assertEquals(run(ring, leave, { flags }), 20_000);
    const copied = Deno.readFileSync(path);
    assertEquals(copied.subarray(3), data.subarray(1000, 21_000));
  }
});

eachRing("splice: without offsets the positions move; 0 at the end", {
  needs: ["splice", "read"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using input = open(ring, directory.file("in", "0123456789"), O_RDONLY);
  using through = new Pipe();
  const op = splice(input.fd, through.writer, 4);
  const moved = [1, 2, 3, 4].map(() => run(ring, op));
  assertEquals(moved, [4, 4, 2, 0]);
  const buffer = new Uint8Array(20);
  assertEquals(run(ring, read(through.reader, buffer)), 10);
  assertEquals(text(buffer.subarray(0, 10)), "0123456789");
});

eachRing("splice: both halves in one chain", { needs: ["splice"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using input = open(ring, directory.file("in", pattern(8000)), O_RDONLY);
  const path = directory.file("out");
  using output = open(ring, path, O_RDWR);
  using through = new Pipe();
  const results = runAll(
    ring,
    [splice(input.fd, through.writer, 8000), IOSQE_IO_LINK],
    [splice(through.reader, output.fd, 8000)],
  );
  assertEquals([...results.values()], [8000, 8000]);
  assertEquals(Deno.readFileSync(path), pattern(8000));
});

eachRing("splice: from pipe to pipe; nothing there is EAGAIN if asked", {
  needs: ["splice", "read", "write"],
}, (ring) => {
  using first = new Pipe();
  using second = new Pipe();
  const flags = SPLICE_F_NONBLOCK;
  const op = splice(first.reader, second.writer, 100, { flags });
  failure("EAGAIN", () => run(ring, op));
  run(ring, write(first.writer, bytesOf("moved")));
  assertEquals(run(ring, op), 5);
  failure("EAGAIN", () => run(ring, op));
  const buffer = new Uint8Array(10);
  assertEquals(run(ring, read(second.reader, buffer)), 5);
});

eachRing("splice: refused", { needs: ["splice"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using input = open(ring, directory.file("in", "data"), O_RDONLY);
  using output = open(ring, directory.file("out"), O_RDWR);
  using through = new Pipe();
  const none = failure(
    "EINVAL",
    () => run(ring, splice(input.fd, output.fd, 4)),
  );
  assert(none.message.includes("must be a pipe"), none.message);
  const offset = splice(input.fd, through.writer, 4, { offsetOut: 0 });
  failure("ESPIPE", () => run(ring, offset));
  failure("EBADF", () => run(ring, splice(9999, through.writer, 4)));
  failure("EBADF", () => run(ring, splice(input.fd, 9999, 4)));
  const odd = splice(input.fd, through.writer, 4, { flags: 0x100 });
  failure("EINVAL", () => run(ring, odd));
});

eachRing("splice, tee: registered files on either side", {
  needs: ["splice", "tee"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using input = open(ring, directory.file("in", "registered"), O_RDONLY);
  using first = new Pipe();
  using second = new Pipe();
  ring.files.register([input.fd, first.writer, second.writer, first.reader]);
  const both = splice(fixedFile(0), fixedFile(1), 3, { offsetIn: 0 });
  assertEquals(run(ring, both), 3);
  const inputOnly = splice(fixedFile(0), first.writer, 3, { offsetIn: 3 });
  assertEquals(run(ring, inputOnly), 3);
  const outputOnly = splice(input.fd, fixedFile(1), 4, { offsetIn: 6 });
  assertEquals(run(ring, outputOnly), 4);
  assertEquals(run(ring, tee(fixedFile(3), fixedFile(2), 100)), 10);
  const buffer = new Uint8Array(10);
  assertEquals(run(ring, read(second.reader, buffer)), 10);
  assertEquals(text(buffer), "registered");
  failure("EBADF", () => run(ring, splice(fixedFile(9), first.writer, 1)));
  ring.files.unregister();
});

eachRing("tee: a copy, the first pipe keeps what it has", {
  needs: ["tee", "read", "write"],
}, (ring) => {
  using first = new Pipe();
  using second = new Pipe();
  for (const flags of [0, IOSQE_ASYNC]) {
    run(ring, write(first.writer, bytesOf("twice")));
    const op = tee(first.reader, second.writer, 100);
    assertEquals(run(ring, op, { flags }), 5);
    for (const fd of [first.reader, second.reader]) {
      const buffer = new Uint8Array(10);
      assertEquals(run(ring, read(fd, buffer)), 5);
      assertEquals(text(buffer.subarray(0, 5)), "twice");
    }
  }
  first.closeWriter();
  assertEquals(run(ring, tee(first.reader, second.writer, 100)), 0);
});

eachRing("tee: refused", { needs: ["tee"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("in", "data"), O_RDONLY);
  using one = new Pipe();
  const noPipe = failure(
    "EINVAL",
    () => run(ring, tee(file.fd, one.writer, 4)),
  );
  assert(noPipe.message.includes("must be pipes"), noPipe.message);
  failure("EINVAL", () => run(ring, tee(one.reader, one.writer, 4)));
});

/** The flags that the kernel shows of a descriptor. */
function flagsOf(fd: number): number {
  const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
  return Number.parseInt(/flags:\s*([0-7]+)/.exec(info)?.[1] ?? "", 8);
}

eachRing("pipe: two descriptors, with flags", { needs: ["pipe"] }, (ring) => {
  const [reader, writer] = run(ring, pipe());
  assertEquals(run(ring, write(writer, bytesOf("hello"))), 5);
  const buffer = new Uint8Array(10);
  assertEquals(run(ring, read(reader, buffer)), 5);
  assertEquals(flagsOf(reader) & O_CLOEXEC, 0);
  const flags = O_CLOEXEC | O_NONBLOCK;
  const [other, end] = run(ring, pipe({ flags }), { flags: IOSQE_ASYNC });
  for (const fd of [other, end]) assertEquals(flagsOf(fd) & flags, flags);
  for (const fd of [reader, writer, other, end]) run(ring, close(fd));
  failure("EINVAL", () => run(ring, pipe({ flags: 0x1000_0000 })));
});

eachRing("pipeDirect: two slots, asked for or chosen", {
  needs: ["pipe"],
}, (ring) => {
  ring.files.registerSparse(4);
  for (const slot of [1, IORING_FILE_INDEX_ALLOC]) {
    const [reader, writer] = run(ring, pipeDirect(slot));
    if (slot === 1) assertEquals([reader.index, writer.index], [1, 2]);
    assertEquals(run(ring, write(writer, bytesOf("direct"))), 6);
    const buffer = new Uint8Array(10);
    assertEquals(run(ring, read(reader, buffer)), 6);
    assertEquals(text(buffer.subarray(0, 6)), "direct");
    run(ring, close(writer));
    assertEquals(run(ring, read(reader, buffer)), 0);
    run(ring, close(reader));
  }
  assertThrows(
    () => pipeDirect(0, { flags: O_CLOEXEC }),
    RangeError,
    "CLOEXEC",
  );
  failure("EINVAL", () => run(ring, pipeDirect(4)));
});
