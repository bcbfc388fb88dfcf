/** Zero-copy receive: `ring.registerZcrx`. Without a card that can do it, its errors. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  IORING_REGISTER_ZCRX_CTRL,
  IORING_REGISTER_ZCRX_IFQ,
  IORING_SETUP_CQE32,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  isSystemError,
  type Kernel,
  layout,
  Memory,
} from "../../../ffi/mod.ts";
import { pageSize } from "../../../ffi/system.ts";
import { Ring } from "../../../ring/mod.ts";
import {
  answering,
  hasRegister,
  linux,
  notNumbers,
  wrongly,
} from "./support.ts";

const known = hasRegister(IORING_REGISTER_ZCRX_IFQ);
const flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
  IORING_SETUP_CQE32;
const area = new Memory(1 << 16).bytes;
const NOBODY = 0x7fff_ffff;

Deno.test({
  name: "zcrx: an interface that is not there, or cannot do it",
  ignore: !known,
  fn() {
    using ring = new Ring({ entries: 4, flags });
    for (const interfaceIndex of [NOBODY, 1]) {
      const error = assertThrows(() =>
        ring.registerZcrx({ interfaceIndex, entries: 64, area })
      );
      assert(isSystemError(error), String(error));
      assertEquals(error.op, "io_uring_register_ifq");
      // EPERM without CAP_NET_ADMIN, EOPNOTSUPP without CONFIG_IO_URING_ZCRX.
      const expected = [1, 19, 22, 95];
      assert(expected.includes(error.errno), error.message);
      assert(/\)\. [A-Z].*\.$/.test(error.message), error.message);
    }
  },
});

Deno.test({
  name: "zcrx: the ring must be of the right kind",
  ignore: !known,
  fn() {
    using ring = new Ring(4);
    const error = assertThrows(() =>
      ring.registerZcrx({ interfaceIndex: 1, entries: 64, area })
    );
    assert(isSystemError(error), String(error));
    if (error.code === "EINVAL") {
      assertStringIncludes(error.message, "IORING_SETUP_CQE32");
    } else {
      assert([1, 95].includes(error.errno), error.message);
    }
  },
});

Deno.test({
  name: "zcrx: is named where the kernel lacks it",
  ignore: known,
  fn() {
    using ring = new Ring(4);
    const error = assertThrows(() =>
      ring.registerZcrx({ interfaceIndex: 1, entries: 64, area })
    );
    assertStringIncludes(
      String(error),
      "IORING_REGISTER_ZCRX_IFQ needs Linux 6.15 or later",
    );
  },
});

/** A kernel that registers a queue without a card, and notes what it is told afterwards. */
function pretending(): { kernel: Kernel; controls: number[]; queue: DataView } {
  const controls: number[] = [];
  const made = { controls, queue: new DataView(new ArrayBuffer(0)) };
  const at = (address: number, length: number) => {
    const pointer = Deno.UnsafePointer.create(BigInt(address));
    assert(pointer !== null);
    return new DataView(
      Deno.UnsafePointerView.getArrayBuffer(pointer, length),
    );
  };
  const kernel = answering((opcode, bytes, count) => {
    const ifq = layout.io_uring_zcrx_ifq_reg;
    if (opcode === IORING_REGISTER_ZCRX_IFQ) {
      const view = bytes(ifq.size);
      const areaAt = Number(view.getBigUint64(ifq.area_ptr, true));
      const regionAt = Number(view.getBigUint64(ifq.region_ptr, true));
      const region = at(regionAt, layout.io_uring_region_desc.size);
      made.queue = at(
        Number(region.getBigUint64(0, true)),
        Number(region.getBigUint64(8, true)),
      );
      assertEquals(view.getUint32(ifq.if_idx, true), 3);
      assertEquals(view.getUint32(ifq.if_rxq, true), 5);
      assertEquals(count, 1);
      view.setUint32(ifq.rq_entries, 4, true);
      view.setUint32(ifq.zcrx_id, 9, true);
      view.setUint32(ifq.offsets_head, 0, true);
      view.setUint32(ifq.offsets_tail, 64, true);
      view.setUint32(ifq.offsets_rqes, 128, true);
      const token = layout.io_uring_zcrx_area_reg.rq_area_token;
      at(areaAt + token, 8).setBigUint64(0, 1n << 48n, true);
      return 0;
    }
    if (opcode === IORING_REGISTER_ZCRX_CTRL) {
      const view = bytes(layout.zcrx_ctrl.size);
      assertEquals(view.getUint32(layout.zcrx_ctrl.zcrx_id, true), 9);
      controls.push(view.getUint32(layout.zcrx_ctrl.op, true));
      view.setUint32(layout.zcrx_ctrl.zc_export_zcrx_fd, 77, true);
      return 0;
    }
    return undefined;
  });
  return Object.assign(made, { kernel });
}

Deno.test("zcrx: what came is seen in place, and given back", () => {
  const pretended = pretending();
  using ring = new Ring({ entries: 4, backend: pretended.kernel });
  const memory = new Memory(1 << 16);
  const zcrx = ring.registerZcrx({
    interfaceIndex: 3,
    queue: 5,
    entries: 3,
    area: memory.bytes,
  });
  const { queue } = pretended;
  assertEquals([zcrx.id, zcrx.entries], [9, 4]);
  // The card writes there for as long as the ring lives, and the queue is shared with it.
  assert(ring.keep.has(memory.bytes));
  assertEquals(ring.keep.size, 2);
  memory.bytes.set([1, 2, 3], 4096);
  const came = (offset: bigint, res: number) => ({
    res,
    bigCqe: (index: 0 | 1) => index === 0 ? (2n << 48n) | offset : 0n,
  });
  assertEquals(zcrx.bytes(came(4096n, 3)), Uint8Array.of(1, 2, 3));
  assertEquals(zcrx.bytes(came(65535n, 1)).length, 1);
  for (const wrong of [came(65535n, 2), came(0n, -5), came(1n << 47n, 1)]) {
    assertThrows(() => zcrx.bytes(wrong), RangeError, "the area has 65536");
  }

  for (let index = 0; index < 4; index++) {
    assert(zcrx.refill(came(BigInt(index) * 4096n, 100 + index)));
    assertEquals(queue.getUint32(64, true), index + 1);
    const entry = 128 + 16 * index;
    const offset = (1n << 48n) | (BigInt(index) * 4096n);
    assertEquals(queue.getBigUint64(entry, true), offset);
    assertEquals(queue.getUint32(entry + 8, true), 100 + index);
  }
  assertEquals(zcrx.refill(came(0n, 1)), false, "full");
  queue.setUint32(0, 1, true);
  assertEquals(zcrx.refill(came(8192n, 7)), true);
  assertEquals(queue.getBigUint64(128, true), (1n << 48n) | 8192n);

  // The counters are 32 bits wide, and wrap.
  queue.setUint32(0, 0x7fff_ffff, true);
  queue.setUint32(64, 0x8000_0002, true);
  assert(zcrx.refill(came(0n, 1)));
  assertEquals(zcrx.refill(came(0n, 1)), false, "full");

  zcrx.flush();
  assertEquals(zcrx.export(), 77);
  assertEquals(pretended.controls, [0, 1]);
});

Deno.test("zcrx: what is none is refused before the kernel sees it", () => {
  const ring = new Ring(4);
  const good = { interfaceIndex: 1, entries: 64, area };
  const page = pageSize();
  const register = (options: unknown) => () =>
    ring.registerZcrx(wrongly(options));
  for (const options of [undefined, null, 1, "lo"]) {
    assertThrows(register(options), TypeError, "options must be an object");
  }
  for (const interfaceIndex of notNumbers) {
    assertThrows(
      register({ ...good, interfaceIndex }),
      interfaceIndex === 1n ? RangeError : TypeError,
      "interfaceIndex",
    );
  }
  for (
    const [key, value] of [
      ["interfaceIndex", -1],
      ["queue", 1.5],
      ["entries", 0],
      ["entries", 32769],
      ["flags", -1],
      ["bufferLength", 2 ** 32],
    ] as const
  ) {
    assertThrows(register({ ...good, [key]: value }), RangeError, key);
  }
  assertThrows(register({ ...good, area: null }), TypeError, "area");
  for (
    const bad of [
      area.subarray(1),
      area.subarray(0, 100),
      area.subarray(0, 0),
      area.subarray(16, 16 + page),
    ]
  ) {
    assertThrows(register({ ...good, area: bad }), RangeError, "whole pages");
  }
  ring.close();
  assertThrows(register(good), TypeError, "closed");
});

Deno.test({
  name: "zcrx: control is named where the kernel lacks it",
  ignore: linux("6.19"),
  fn() {
    using ring = new Ring(1);
    const error = assertThrows(() =>
      ring.register(
        "io_uring_register_zcrx_ctrl",
        IORING_REGISTER_ZCRX_CTRL,
        new Uint8Array(layout.zcrx_ctrl.size),
        0,
      )
    );
    assertStringIncludes(
      String(error),
      "IORING_REGISTER_ZCRX_CTRL needs Linux 6.19 or later",
    );
  },
});
