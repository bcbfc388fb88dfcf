/** A `Uring` that may not do all that it would. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  IORING_FEAT_REG_REG_RING,
  IORING_OP_READ,
  IORING_OP_WRITE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQPOLL,
} from "../../ffi/mod.ts";
import { nop, read, write } from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { canMake } from "../support/setup.ts";
import { Fds } from "../support/sockets.ts";
import { idle, until } from "./support.ts";

/** Linux 6.3: what closes a ring stays allowed. */
const cancelled = (() => {
  using ring = new Ring(1);
  return (ring.features & IORING_FEAT_REG_REG_RING) !== 0;
})();

const kinds = {
  plain: 0,
  deferred: IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
  sqpoll: IORING_SETUP_SQPOLL,
};

/** Registers a test with a `Uring` that may read and write, and nothing else. */
function restrictedTest(
  name: string,
  only: (keyof typeof kinds)[],
  body: (uring: Uring) => Promise<void>,
): void {
  for (const kind of only) {
    const flags = kinds[kind] | IORING_SETUP_R_DISABLED;
    Deno.test({
      name: `${name} [${kind}]`,
      ignore: !cancelled || !canMake(flags),
      async fn() {
        await using uring = new Uring({ flags });
        const opcodes = [IORING_OP_READ, IORING_OP_WRITE];
        uring.ring.restrict({ opcodes });
        uring.ring.enable();
        await body(uring);
      },
    });
  }
}

const every = Object.keys(kinds) as (keyof typeof kinds)[];

restrictedTest("what is not allowed says so", every, async (uring) => {
  await assertRejects(() => uring.submit(nop()), Deno.errors.PermissionDenied);
});

restrictedTest("a signal cancels without an op", every, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const controller = new AbortController();
  const { signal } = controller;
  const reading = uring.submit(read(reader, new Uint8Array(1)), { signal });
  await until(() => uring.ring.sq.ready === 0, "the read is with the kernel");
  controller.abort("enough");
  assertEquals(await reading.catch((reason) => reason), "enough");
  await idle(uring);
});

restrictedTest("so does closing", every, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const reading = assertRejects(
    () => uring.submit(read(reader, new Uint8Array(1))),
    Error,
    "The Uring was closed",
  );
  await until(() => uring.ring.sq.ready === 0, "the read is with the kernel");
  await uring.close();
  await reading;
});

restrictedTest(
  "it sleeps, and is woken",
  ["plain", "sqpoll"],
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const reading = uring.submit(read(reader, new Uint8Array(4)));
    await until(() => uring.stats.sleeps > 0, "it sleeps");
    await using other = new Uring();
    assertEquals(await other.submit(write(writer, Uint8Array.of(1))), 1);
    assertEquals(await reading, 1);
  },
);
