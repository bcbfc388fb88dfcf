/** Entries of 128 bytes, and completions of 32. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import {
  AF_INET,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQE_MIXED,
  SO_TIMESTAMPING,
  SOCK_DGRAM,
  SOL_SOCKET,
} from "../../ffi/mod.ts";
import {
  cmdTxTimestamp,
  nop,
  opcodes,
  type TxTimestamp,
  uringCmd,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { canMake } from "../support/setup.ts";
import {
  Fds,
  kernelSince,
  LOOPBACK,
  nameOf,
  sendNow,
  setOption,
} from "../support/sockets.ts";
import { eachKind } from "./support.ts";

// The null device takes any command since Linux 6.1.
const when = opcodes.sendmsgZc.supported() && canMake(IORING_SETUP_SQE128);
/** What only an entry of 128 bytes has room for. */
const argument = new Uint8Array(80).fill(0xff);

eachKind("a chain has entries as large as its ring's", {
  when,
  flags: IORING_SETUP_SQE128,
  only: ["plain"],
}, async (uring) => {
  const fd = openSync("/dev/null", "r+");
  const command = uringCmd(fd, 1, { argument });
  assertEquals(await uring.submit(command), 0);
  assertEquals(await uring.chain(nop(), command, nop()), [0, 0, 0]);
  closeSync(fd);
});

eachKind("an argument that does not fit is refused", {
  when,
  only: ["plain"],
}, async (uring) => {
  const command = uringCmd(0, 1, { argument });
  for (const run of [() => uring.submit(command), () => uring.chain(command)]) {
    await assertRejects(run, RangeError, "this ring's have 64");
  }
});

Deno.test("a Uring has entries of one size", () => {
  assertThrows(
    () => new Uring({ flags: IORING_SETUP_SQE_MIXED }),
    RangeError,
    "IORING_SETUP_SQE128",
  );
});

// SOF_TIMESTAMPING_TX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY of linux/net_tstamp.h
const TIMESTAMPING = (1 << 1) | (1 << 4) | (1 << 7) | (1 << 11);

for (
  const [name, flags] of [
    ["32 bytes", IORING_SETUP_CQE32],
    ["either size", IORING_SETUP_CQE_MIXED],
  ] as const
) {
  eachKind(`completions of ${name} give what is in them`, {
    when: kernelSince(6, 17) && canMake(flags),
    flags,
    only: ["plain"],
  }, async (uring) => {
    const big = nop({ result: 3, bigCqe: [7n, 8n] });
    assertEquals(await uring.submit(big), 3);
    assertEquals(await uring.chain(nop(), big, nop()), [0, 3, 0]);
    using fds = new Fds();
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    const fd = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
    setOption(fd, SOL_SOCKET, SO_TIMESTAMPING, TIMESTAMPING);
    const times: (TxTimestamp | undefined)[] = [];
    await using stream = uring.stream(cmdTxTimestamp(fd));
    const first = stream.next();
    sendNow(fd, "one");
    times.push((await first).value);
    sendNow(fd, "two");
    times.push((await stream.next()).value);
    assertEquals(times.map((time) => time?.key), [0, 1]);
    const [one, two] = times.map((time) => time?.time ?? 0n);
    assert(one !== undefined && two !== undefined && one <= two);
  });
}
