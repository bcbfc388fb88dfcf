/** copyData by a thread that waits in the kernel. */

import { closeSync, openSync } from "node:fs";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
} from "@std/assert";
import { isSystemError } from "../../ffi/mod.ts";
import { copyData, type CopyDataOptions } from "../../fs/copy_data.ts";
import { stat } from "../../fs/stat.ts";
import { pattern, remove, scratch } from "../support/utilities.ts";

const MIB = 2 ** 20;

/** Two files, the first with so many bytes, open in a folder that is removed afterwards. */
class Files implements Disposable {
  readonly #folder = scratch();
  readonly from = `${this.#folder}/from`;
  readonly to = `${this.#folder}/to`;
  readonly bytes: Uint8Array;
  readonly source: number;
  readonly target: number;

  constructor(size: number, mode = "r") {
    this.bytes = pattern(size);
    Deno.writeFileSync(this.from, this.bytes);
    this.source = openSync(this.from, mode);
    this.target = openSync(this.to, "w");
  }

  copy(options: CopyDataOptions = {}): Promise<number> {
    return copyData(this.source, this.target, { waits: true, ...options });
  }

  [Symbol.dispose](): void {
    closeSync(this.source);
    closeSync(this.target);
    remove(this.#folder);
  }
}

for (const size of [MIB, MIB + 1, 3 * MIB - 1, 5 * MIB + 4097]) {
  for (const queueDepth of [1, 8, 64]) {
    Deno.test(`copyData, waiting: ${size} bytes, ${queueDepth} blocks in flight`, async () => {
      using files = new Files(size);
      let told = 0;
      const progress = (bytes: number) => void (told += bytes);
      assertEquals(await files.copy({ queueDepth, progress }), size);
      assertEquals(told, size);
      assertEquals(Deno.readFileSync(files.to), files.bytes);
    });
  }
}

Deno.test("copyData, waiting: a source that has shrunk, or grown", async () => {
  for (const size of [2 * MIB + 5, 4 * MIB, 6 * MIB + 1]) {
    using files = new Files(4 * MIB);
    const info = await stat(files.from);
    Deno.truncateSync(files.from, size);
    assertEquals(await files.copy({ info }), size);
    assertEquals(Deno.readFileSync(files.to), Deno.readFileSync(files.from));
  }
});

Deno.test("copyData, waiting: holes stay holes", async () => {
  using files = new Files(MIB);
  Deno.truncateSync(files.from, 64 * MIB + 1);
  assertEquals(await files.copy(), 64 * MIB + 1);
  const { size, blocks } = Deno.statSync(files.to);
  assertEquals(size, 64 * MIB + 1);
  assert((blocks ?? 0) * 512 < 3 * MIB);
  assertEquals(Deno.readFileSync(files.to), Deno.readFileSync(files.from));
});

Deno.test("copyData, waiting: an error tells which op failed", async () => {
  using files = new Files(4 * MIB, "a");
  const info = await stat(files.from);
  const error = await assertRejects(() => files.copy({ info }));
  assert(isSystemError(error));
  assertEquals([error.op, error.code], ["read", "EBADF"]);
  using others = new Files(4 * MIB);
  const full = openSync("/dev/full", "w");
  try {
    const error = await assertRejects(() =>
      copyData(others.source, full, { waits: true })
    );
    assert(isSystemError(error));
    assertEquals([error.op, error.code], ["write", "ENOSPC"]);
  } finally {
    closeSync(full);
  }
});

Deno.test("copyData, waiting: a signal stops it, and the event loop has its turn", async () => {
  using files = new Files(MIB);
  Deno.truncateSync(files.from, 1024 * MIB);
  const controller = new AbortController();
  let turns = 0;
  const timer = setInterval(() => {
    if (++turns === 3) controller.abort(new Error("enough"));
  }, 1);
  try {
    const { signal } = controller;
    // Written in full, it takes some tenths of a second.
    await assertRejects(
      () => files.copy({ signal, sparse: "never" }),
      Error,
      "enough",
    );
  } finally {
    clearInterval(timer);
  }
  // It ends when it is next looked at.
  assertGreaterOrEqual(turns, 3);
});
