import { assert, assertEquals, assertThrows } from "@std/assert";
import { EOPNOTSUPP } from "../../ffi/linux.ts";
import { IORING_SETUP_SQE128 } from "../../ffi/mod.ts";
import { cmdDiscard, uringCmd } from "../../ops/command.ts";
import { nop } from "../../ops/nop.ts";
import { run } from "../../ops/run.ts";
import { errnoOf } from "../support/errno.ts";
import { eachRing } from "../support/rings.ts";
import { closeSync, openSync } from "node:fs";

function withFd(path: string, mode: string, body: (fd: number) => void): void {
  const fd = openSync(path, mode);
  try {
    body(fd);
  } finally {
    closeSync(fd);
  }
}

eachRing(
  "uringCmd: an ordinary file takes none",
  { needs: ["uringCmd"] },
  (ring) => {
    const path = Deno.makeTempFileSync();
    withFd(path, "r+", (fd) => {
      assertEquals(errnoOf(() => run(ring, uringCmd(fd, 1))), EOPNOTSUPP);
      const long = uringCmd(fd, 1, { argument: new Uint8Array(17) });
      assertThrows(() => run(ring, long), RangeError, "IORING_SETUP_SQE128");
      assertEquals(run(ring, nop()), 0);
    });
    Deno.removeSync(path);
  },
);

// The null device takes every command since 6.0 or so; sendmsg_zc came with 6.1.
eachRing(
  "uringCmd: the null device takes any",
  { needs: ["sendmsgZc"] },
  (ring) => {
    withFd("/dev/null", "r+", (fd) => {
      const argument = new Uint8Array(16).fill(0xff);
      assertEquals(run(ring, uringCmd(fd, 0xffff_ffff, { argument })), 0);
    });
  },
);

eachRing(
  "uringCmd: 80 bytes in an entry of 128",
  { needs: ["sendmsgZc"], options: { flags: IORING_SETUP_SQE128 } },
  (ring) => {
    withFd("/dev/null", "r+", (fd) => {
      const argument = new Uint8Array(80).fill(0xff);
      assertEquals(run(ring, uringCmd(fd, 1, { argument })), 0);
    });
  },
);

/** Sets a loop device up over a file; undefined where that cannot be done. */
function loopDevice(path: string): string | undefined {
  const args = ["--find", "--show", path];
  try {
    const { success, stdout } = new Deno.Command("losetup", { args })
      .outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function loopWorks(): boolean {
  const path = Deno.makeTempFileSync();
  Deno.truncateSync(path, 4096);
  const device = loopDevice(path);
  if (device !== undefined) detach(device);
  Deno.removeSync(path);
  return device !== undefined;
}

function detach(device: string): void {
  new Deno.Command("losetup", { args: ["--detach", device] }).outputSync();
}

// Discarding came with 6.12; recv_zc with 6.15.
eachRing("cmdDiscard: a loop device's range becomes a hole", {
  needs: ["recvZc"],
  when: loopWorks(),
}, (ring) => {
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, new Uint8Array(64 * 1024).fill(0xee));
  const device = loopDevice(path);
  assert(device !== undefined);
  try {
    withFd(device, "r+", (fd) => {
      run(ring, cmdDiscard(fd, 8192n, 16384));
      assertThrows(() => run(ring, cmdDiscard(fd, 1, 4096)), Error, "EINVAL");
    });
    withFd(device, "r", (fd) => {
      assertThrows(() => run(ring, cmdDiscard(fd, 0, 4096)), Error, "EBADF");
    });
  } finally {
    detach(device);
  }
  const bytes = Deno.readFileSync(path);
  assert(
    bytes.every((byte, at) => byte === (at >= 8192 && at < 24576 ? 0 : 0xee)),
  );
  Deno.removeSync(path);
});

eachRing("cmdDiscard: an ordinary file is no block device", {
  needs: ["uringCmd"],
}, (ring) => {
  const path = Deno.makeTempFileSync();
  withFd(path, "r+", (fd) => {
    assertEquals(errnoOf(() => run(ring, cmdDiscard(fd, 0, 4096))), EOPNOTSUPP);
  });
  Deno.removeSync(path);
});
