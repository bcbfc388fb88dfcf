/** Messages and files from ring to ring. */

import { assertEquals, assertThrows } from "@std/assert";
import { EBADFD } from "../../ffi/linux.ts";
import { IORING_SETUP_R_DISABLED, O_CLOEXEC } from "../../ffi/mod.ts";
import { fixedFile } from "../../ops/fd.ts";
import { close } from "../../ops/open.ts";
import { type Op, release } from "../../ops/op.ts";
import {
  fixedFdInstall,
  msgRing,
  msgRingFd,
  msgRingFdAlloc,
} from "../../ops/ring.ts";
import { run } from "../../ops/run.ts";
import { Ring } from "../../ring/mod.ts";
import { errnoOf } from "../support/errno.ts";
import { collect, queue, type Seen } from "../support/queue.ts";
import { eachRing, ringKinds } from "../support/rings.ts";
import { closeSync, openSync } from "node:fs";

/** "File descriptor in bad state", for which Node has no name. */

function closesOnExec(fd: number): boolean {
  const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
  const flags = parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? "", 8);
  return (flags & O_CLOEXEC) !== 0;
}

/** Takes what has come to a ring. */
function take(ring: Ring, inbox: Seen[]): void {
  ring.forEachCqe(({ tag, res, flags, more }) => {
    inbox.push({ tag, res, flags, more });
  });
}

/** The next completion of a ring, waited for. */
function receive(ring: Ring): Seen | undefined {
  const inbox: Seen[] = [];
  ring.wait(1);
  take(ring, inbox);
  assertEquals(inbox.length, 1);
  return inbox[0];
}

/**
 * Sends from one ring to another of the same thread, and takes what comes there. A ring that
 * defers its work handles what it is sent when it is entered itself, and only then is the
 * sender's op complete.
 */
function send<T>(here: Ring, there: Ring, op: Op<T>): [T, Seen[]] {
  const inbox: Seen[] = [];
  const held = queue(here, op, 1);
  here.submit();
  let result: { value: T } | undefined;
  const deadline = performance.now() + 10_000;
  try {
    while (result === undefined) {
      if (performance.now() > deadline) throw new Error("no completion came");
      here.wait(1, { timeout: 1 });
      here.forEachCqe((cqe) => {
        result = { value: op.finish(cqe, held) };
      });
      take(there, inbox);
    }
    take(there, inbox);
    return [result.value, inbox];
  } finally {
    release(held);
  }
}

const targets = ringKinds.filter(({ name }) => name !== "syscall");

for (const target of targets) {
  eachRing(`msgRing: to a ring (${target.name})`, {
    needs: ["msgRing"],
    when: target.supported,
  }, (here) => {
    using there = target.make();
    const [, first] = send(here, there, msgRing(there.fd, -7, 0x1234_5678));
    const [, second] = send(here, there, msgRing(there.fd, 42, 2n ** 33n));
    assertEquals([...first, ...second], [
      { tag: 0x1234_5678, res: -7, flags: 0, more: false },
      { tag: 0, res: 42, flags: 0, more: false },
    ]);
  });

  // Flags of the completion came with 6.3, multishot reads with 6.7.
  eachRing(`msgRing: flags of the completion (${target.name})`, {
    needs: ["readMultishot"],
    when: target.supported,
  }, (here) => {
    using there = target.make();
    const cqeFlags = 0x0005_0000;
    const message = msgRing(there.fd, 1, 2, { cqeFlags });
    assertEquals(send(here, there, message)[1][0]?.flags, cqeFlags);
  });

  // Files can be passed since 6.0, as send_zc.
  eachRing(`msgRingFd: to an index, or anywhere (${target.name})`, {
    needs: ["sendZc"],
    when: target.supported,
  }, (here) => {
    using there = target.make();
    here.files.register([-1, 0]);
    there.files.register([-1, -1, -1, 0]);
    const source = fixedFile(1);
    const exact = msgRingFd(there.fd, source, 2, { userData: 77 });
    const [file, [seen]] = send(here, there, exact);
    assertEquals([file.index, seen?.tag, seen?.res], [2, 77, 0]);
    const anywhere = msgRingFdAlloc(there.fd, source, { skipCompletion: true });
    const [first, nothing] = send(here, there, anywhere);
    assertEquals([first.index, nothing], [0, []]);
    assertEquals(send(here, there, anywhere)[0].index, 1);
    assertThrows(() => send(here, there, anywhere), Error, "ENFILE");
    assertEquals(there.wait(1, { timeout: 2 }), 0);
  });
}

eachRing("msgRingFd: what it cannot pass", { needs: ["sendZc"] }, (here) => {
  using there = new Ring(4);
  here.files.register([0, -1]);
  const pass = (index: number, target: number) =>
    run(here, msgRingFd(there.fd, fixedFile(index), target));
  assertThrows(() => pass(0, 0), Error, "ENXIO");
  there.files.register([-1]);
  assertThrows(() => pass(1, 0), Error, "EBADF");
  assertThrows(() => pass(9, 0), Error, "EBADF");
  assertThrows(() => pass(0, 1), Error, "EINVAL");
  assertEquals(pass(0, 0).index, 0);
});

eachRing(
  "msgRing: to what is no ring, or none yet",
  { needs: ["readMultishot"] },
  (here) => {
    using there = new Ring({ entries: 4, flags: IORING_SETUP_R_DISABLED });
    assertThrows(() => run(here, msgRing(0x7fff_ffff, 0, 0)), Error, "EBADF");
    assertEquals(errnoOf(() => run(here, msgRing(there.fd, 0, 0))), EBADFD);
    there.enable();
    run(here, msgRing(there.fd, 0, 5));
    assertEquals(receive(there)?.tag, 5);
    const fd = openSync("/dev/null", "r");
    assertEquals(errnoOf(() => run(here, msgRing(fd, 0, 0))), EBADFD);
    closeSync(fd);
  },
);

eachRing("msgRing: to itself", {
  needs: ["msgRing"],
  only: ["liburing", "syscall"],
}, (ring) => {
  const held = queue(ring, msgRing(ring.fd, 9, 8), 1);
  const seen = collect(ring, 2).map(({ tag, res }) => `${tag} ${res}`);
  assertEquals(seen.sort(), ["1 0", "8 9"]);
  release(held);
});

eachRing("fixedFdInstall: a plain descriptor of a registered file", {
  needs: ["fixedFdInstall"],
}, (ring) => {
  const path = Deno.makeTempFileSync();
  const fd = openSync(path, "r");
  ring.files.register([-1, fd]);
  const kept = run(ring, fixedFdInstall(fixedFile(1)));
  const inherited = run(ring, fixedFdInstall(fixedFile(1), { cloexec: false }));
  assertEquals(Deno.readLinkSync(`/proc/self/fd/${kept}`), path);
  assertEquals([closesOnExec(kept), closesOnExec(inherited)], [true, false]);
  assertThrows(() => run(ring, fixedFdInstall(fixedFile(0))), Error, "EBADF");
  closeSync(fd);
  for (const open of [kept, inherited]) run(ring, close(open));
  Deno.removeSync(path);
});
