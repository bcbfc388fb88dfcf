/** Locks of whole files: who has one, who waits, who may not. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { isSystemError } from "../../../ffi/errors.ts";
import { strerror } from "../../../ffi/errno.ts";
import {
  lockFile,
  lockFileNow,
  tryLockFile,
  unlockFile,
} from "../../../ffi/lock.ts";

// Loads the C library for good, before a test's sanitizers look.
strerror(1);

/** A file that was opened twice: each opening has locks of its own. */
class Twice implements Disposable {
  readonly #path = Deno.makeTempFileSync();
  readonly one = openSync(this.#path, "r+");
  readonly other = openSync(this.#path, "r+");

  [Symbol.dispose](): void {
    closeSync(this.one);
    closeSync(this.other);
    Deno.removeSync(this.#path);
  }
}

Deno.test("locks: shared by any, exclusive for one", () => {
  using file = new Twice();
  const { one, other } = file;
  assert(tryLockFile(one, false));
  assert(tryLockFile(other, false), "shared by both");
  assertEquals(tryLockFile(other, true), false);
  unlockFile(one);
  assert(tryLockFile(other, true), "nobody else has one");
  assertEquals(tryLockFile(one, false), false);
  unlockFile(other);
  lockFileNow(one, true);
  assertEquals(tryLockFile(other, false), false);
  lockFileNow(one, false);
  assert(tryLockFile(other, false), "exclusive no more");
});

Deno.test("locks: are waited for", async () => {
  using file = new Twice();
  const { one, other } = file;
  await lockFile(one, true);
  const order: string[] = [];
  const waiting = lockFile(other, true).then(() => order.push("locked"));
  await new Promise((done) => setTimeout(done, 20));
  order.push("unlocked");
  unlockFile(one);
  await waiting;
  assertEquals(order, ["unlocked", "locked"]);
  assertEquals(tryLockFile(one, false), false, "it is exclusive");
});

Deno.test("locks: of what is no open file there are none", () => {
  for (const fd of [-1, 0.5, 2 ** 31]) {
    assertThrows(() => tryLockFile(fd, true), RangeError, "flock: fd");
  }
  const error = assertThrows(() => tryLockFile(0x7fff_ffff, true));
  assert(isSystemError(error));
  assertEquals([error.code, error.op], ["EBADF", "flock"]);
});
