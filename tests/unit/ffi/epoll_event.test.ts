import { assertEquals } from "@std/assert";
import {
  EPOLL_EVENT_SIZE,
  readEpollEvent,
  writeEpollEvent,
} from "../../../ffi/mod.ts";
import { epollEventLayout } from "../../../ffi/layout/arch.ts";
import abi from "../../golden/abi.json" with { type: "json" };

const golden = {
  x86_64: abi.structs.epoll_event,
  aarch64: abi.aarch64.structs.epoll_event,
};

for (const arch of ["x86_64", "aarch64"] as const) {
  Deno.test(`epoll_event: the layout of ${arch}`, () => {
    const layout = epollEventLayout(arch);
    assertEquals(layout.size, golden[arch].size);
    assertEquals(layout.data, golden[arch].fields.data);
    const bytes = new Uint8Array(layout.size);
    const view = new DataView(bytes.buffer);
    const event = { events: 0x8000_0001, data: 0xfedc_ba98_7654_3210n };
    writeEpollEvent(view, 0, event, layout);
    assertEquals(readEpollEvent(view, 0, layout), event);
    assertEquals(view.getUint32(0, true), 0x8000_0001);
    assertEquals(bytes.at(-8), 0x10);
    assertEquals(bytes.at(-1), 0xfe);
  });
}

Deno.test("epoll_event: this machine's layout is the default", () => {
  assertEquals(EPOLL_EVENT_SIZE, epollEventLayout(Deno.build.arch).size);
  const view = new DataView(new ArrayBuffer(2 * EPOLL_EVENT_SIZE));
  writeEpollEvent(view, EPOLL_EVENT_SIZE, { events: 4, data: 1n });
  assertEquals(
    readEpollEvent(view, EPOLL_EVENT_SIZE, epollEventLayout(Deno.build.arch)),
    { events: 4, data: 1n },
  );
});
