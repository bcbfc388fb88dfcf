/** Registered credentials: `ring.personalities`. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { EINVAL } from "../../../ffi/linux.ts";
import { prepNop } from "../../../ops/nop.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { child, runOne, wrongly } from "./support.ts";

eachRing("personalities: an op runs as one", {}, (ring) => {
  const one = ring.personalities.register();
  const other = ring.personalities.register();
  assertEquals(one !== other && one > 0 && other > 0, true);
  const runAs = (id: number) =>
    runOne(ring, (sqe) => {
      prepNop(sqe);
      sqe.personality = id;
    });
  assertEquals([runAs(one), runAs(other)], [0, 0]);
  ring.personalities.unregister(one);
  assertEquals([runAs(one), runAs(other)], [-EINVAL, 0]);
  const twice = failure("EINVAL", () => ring.personalities.unregister(one));
  assertEquals(twice.op, "io_uring_unregister_personality");
  assertStringIncludes(twice.message, "No personality with this id");
});

Deno.test({
  name: "personalities: an op has the rights of who registered",
  ignore: Deno.uid() !== 0,
  async fn() {
    const output = await child(`
      const { symbols: c } = Deno.dlopen("libc.so.6", {
        seteuid: { parameters: ["u32"], result: "i32" },
      });
      const path = import.meta.dirname + "/secret";
      Deno.writeTextFileSync(path, "secret", { mode: 0o600 });
      using ring = new r.Ring(4);
      const root = ring.personalities.register();
      const name = f.takeBlock(4096);
      name.bytes.set(new TextEncoder().encode(path + "\\0"));
      const openAs = (id) => {
        const sqe = ring.sqe();
        sqe.prep(f.IORING_OP_OPENAT, f.AT_FDCWD, name.address, 0, 0);
        sqe.personality = id;
        ring.submitAndWait(1);
        let res;
        ring.forEachCqe((cqe) => res = cqe.res);
        return res < 0 ? f.errnoName(-res) : "open";
      };
      if (c.seteuid(65534) !== 0) throw new Error("seteuid");
      const results = [openAs(0), openAs(root)];
      if (c.seteuid(0) !== 0) throw new Error("seteuid");
      console.log(results.join(" "));
    `);
    assertEquals(output, "EACCES open");
  },
});

Deno.test("personalities: what is no id is refused before the kernel sees it", () => {
  const ring = new Ring(4);
  for (const id of [0, -1, 65536, 1.5, NaN]) {
    assertThrows(() => ring.personalities.unregister(id), RangeError, "id");
  }
  for (const id of [undefined, null, "1", {}]) {
    assertThrows(
      () => ring.personalities.unregister(wrongly(id)),
      TypeError,
      "ring.personalities.unregister: id",
    );
  }
  ring.close();
  assertThrows(() => ring.personalities.register(), TypeError, "closed");
  assertThrows(() => ring.personalities.unregister(1), TypeError, "closed");
});
