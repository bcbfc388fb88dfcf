/** Files without the page cache. */

import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { EINVAL } from "../../ffi/linux.ts";
import { openDirect } from "../../fs/direct.ts";
import { open } from "../../fs/open.ts";
import { writeFile } from "../../fs/write_file.ts";
import { IORING_OP_WRITE, isSystemError } from "../../ffi/mod.ts";
import type { Op } from "../../ops/op.ts";
import type { SubmitOptions } from "../../proactor/options.ts";
import { BufferPool, Uring } from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { openFiles } from "./both.ts";

/** Whether the file system of the temporary directory knows O_DIRECT. */
const ignore = !await canDirect();

async function canDirect(): Promise<boolean> {
  using home = new TemporaryDirectory();
  try {
    await using _file = await openDirect(home.file("file"));
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EINVAL") return false;
    throw error;
  }
}

Deno.test({
  name: "openDirect: block by block",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const sizes = [0, 1, 4096, 65536, 65537, 300_000, 1 << 20];
    const readAll = async (size: number) => {
      const data = pattern(size);
      const path = home.file("file", data);
      await using direct = await openDirect(path, {
        blockSize: 65536,
        buffers: 3,
      });
      const seen = new Uint8Array(size);
      let next = 0;
      for await (const { position, bytes } of direct.blocks()) {
        assertEquals(position, next);
        seen.set(bytes, position);
        next += bytes.length;
      }
      assertEquals([next, seen], [size, data]);
    };
    for (const size of sizes) await readAll(size);
    // The ring has made all that stays open with it.
    const before = openFiles();
    for (const size of sizes) await readAll(size);
    // It may sleep for the first time only now, and have a bell made.
    assertLess(openFiles() - before, sizes.length);
  },
});

Deno.test({
  name: "openDirect: a part, and leaving early",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const data = pattern(500_000);
    const path = home.file("file", data);
    await using direct = await openDirect(path, {
      blockSize: 65536,
      buffers: 4,
    });
    const parts: number[][] = [];
    const range = { start: 65536 + direct.alignment, end: 200_000 };
    for await (const { position, bytes } of direct.blocks(range)) {
      parts.push([position, bytes.length, bytes[0] as number]);
      assertEquals(bytes[0], data[position]);
    }
    assertEquals(
      parts.reduce((sum, [, length = 0]) => sum + length, range.start),
      200_000,
    );
    for (let round = 0; round < 20; round++) {
      for await (const { bytes } of direct.blocks()) {
        assertEquals(bytes[0], data[0]);
        break;
      }
    }
    // Every buffer came back.
    const leases = await Promise.all(
      Array.from({ length: 4 }, () => direct.lease()),
    );
    for (const lease of leases) lease.release();
    await assertRejects(
      () => direct.blocks({ start: 1 }).next(),
      RangeError,
      "must be a multiple of",
    );
  },
});

Deno.test({
  name: "openDirect: writing, and ending within a block",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.join("file");
    const data = pattern(150_000);
    {
      const options = { write: true, create: true, blockSize: 65536 };
      await using direct = await openDirect(path, options);
      await Promise.all([0, 65536, 131072].map(async (position) => {
        using lease = await direct.lease();
        lease.bytes.fill(0);
        lease.bytes.set(data.subarray(position, position + 65536));
        assertEquals(await direct.writeAt(lease, position), 65536);
      }));
      await direct.file.truncate(data.length);
      await direct.file.sync();
    }
    assertEquals(Deno.readFileSync(path), data);
  },
});

Deno.test({
  name:
    "openDirect: what does not fit the alignment is refused before the kernel",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file", pattern(10_000));
    await using direct = await openDirect(path, { read: true, write: true });
    using lease = await direct.lease();
    assertEquals(lease.address % direct.alignment, 0);
    const { alignment } = direct;
    await assertRejects(() => direct.readAt(lease, 1), RangeError, "position");
    await assertRejects(() => direct.readAt(lease, 0, 5), RangeError, "length");
    await assertRejects(
      () => direct.writeAt(lease, 0, alignment - 1),
      RangeError,
    );
    await assertRejects(() => direct.readAt(lease, 0, 2 ** 31), RangeError);
    await assertRejects(
      () => direct.readAt(new Uint8Array(4096) as never, 0),
      TypeError,
    );
    await assertRejects(
      () => openDirect(path, { blockSize: 5000 }),
      RangeError,
    );
    await assertRejects(() => openDirect(path, { buffers: 0 }), RangeError);
    await assertRejects(
      () => openDirect(home.join("nothing")),
      Deno.errors.NotFound,
    );
    assertEquals(await direct.readAt(lease, 0), 10_000);
    assertEquals(await direct.readAt(lease, 1 << 30), 0);
  },
});

Deno.test({
  name: "openDirect: on a ring that has registered buffers already",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file", pattern(10_000));
    await using ring = new Uring();
    using pool = new BufferPool(ring, { count: 1, size: 4096 });
    assert(pool.count === 1);
    await using direct = await openDirect(path, { ring });
    using lease = await direct.lease();
    assertEquals(await direct.readAt(lease, 0), 10_000);
  },
});

Deno.test({
  name: "openDirect: closed with a read in flight",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file", pattern(300_000));
    const direct = await openDirect(path);
    const lease = await direct.lease();
    const reading = direct.readAt(lease, 0);
    const closing = direct.close();
    assertEquals(await reading, 256 * 1024);
    lease.release();
    await closing;
    await assertRejects(() => direct.lease(), TypeError);
    await assertRejects(
      () => direct.file.read(new Uint8Array(1)),
      Deno.errors.BadResource,
    );
  },
});

Deno.test({
  name:
    "openDirect: what is not aligned is told why it is refused, of another file it is not",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file", "text");
    await using direct = await openDirect(path, { read: true, write: true });
    const actions = [
      () => direct.file.write(new Uint8Array(100)),
      () => direct.file.writeAt(new Uint8Array(100), 7),
    ];
    for (const action of actions) {
      const { message } = await assertRejects(action, TypeError);
      assertStringIncludes(
        message,
        "Invalid argument (os error 22). With O_DIRECT the buffer's address",
      );
    }
    await using ring = new RefusingRing();
    using file = await open(path, { write: true, ring });
    const others = [
      () => file.write(new Uint8Array(100)),
      () => file.writeAt(new Uint8Array(100), 7),
    ];
    for (const action of others) {
      const { message } = await assertRejects(action, TypeError);
      assertEquals(message, "Invalid argument (os error 22)");
    }
    const writing = () => writeFile(path, new Uint8Array(100), { ring });
    const { message } = await assertRejects(writing, TypeError);
    assertEquals(
      message,
      `Invalid argument (os error 22): writefile '${path}'`,
    );
  },
});

/** A ring on which each write is refused, as some devices do. */
class RefusingRing extends Uring {
  override submit<T>(op: Op<T>, options?: SubmitOptions): Promise<T> {
    if (op.opcode !== IORING_OP_WRITE) return super.submit(op, options);
    return Promise.reject(op.errorOf(EINVAL));
  }
}
