/**
 * Copies from file systems that give what comes before a fault, as those over a network and FUSE do
 * with O_DIRECT too: it is not the end of the file.
 */

import { assertEquals } from "@std/assert";
import { EIO } from "../../ffi/linux.ts";
import { IORING_OP_READ, systemError } from "../../ffi/mod.ts";
import { copyFile, type CopyOptions } from "../../fs/copy_file.ts";
import type { Op } from "../../ops/op.ts";
import type { SubmitOptions } from "../../proactor/options.ts";
import { Uring } from "../../proactor/uring.ts";
import { Sqe } from "../../ring/sqe.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { assertInputOutputError, rejection } from "./damage.ts";

/** A ring on which reads end before a fault, and fail at it. */
class FaultyRing extends Uring {
  /** Where the faults are, in bytes, and whether reads fail there, or only end. */
  readonly #faults: readonly number[];
  readonly #fails: boolean;

  constructor(faults: readonly number[], fails: boolean) {
    super();
    this.#faults = faults;
    this.#fails = fails;
  }

  override submit<T>(op: Op<T>, options?: SubmitOptions): Promise<T> {
    if (op.opcode !== IORING_OP_READ) return super.submit(op, options);
    const entry = new Sqe(new ArrayBuffer(64));
    op.encode(entry);
    const [begin, length] = [Number(entry.off), entry.len];
    if (this.#fails && this.#faults.includes(begin)) {
      return Promise.reject(systemError(EIO, op.name));
    }
    const inside = (at: number) => at > begin && at < begin + length;
    const end = this.#faults.find(inside) ?? begin + length;
    const encode = (sqe: Sqe) => {
      const held = op.encode(sqe);
      sqe.len = end - begin;
      return held;
    };
    const shorter: Op<T> = Object.create(op, { encode: { value: encode } });
    return super.submit(shorter, options);
  }
}

const LENGTH = 3_000_001;
const FAULTS = [4096, 1_228_800, 1_232_896, 2_998_272];
const MANNERS: readonly CopyOptions[] = [
  {},
  { direct: true },
  { direct: true, queueDepth: 1 },
  { direct: true, sparse: "always" },
];

Deno.test("copyFile: reads that give less than was asked for, and no end", async () => {
  using home = new TemporaryDirectory();
  await using ring = new FaultyRing(FAULTS, false);
  const to = home.join("to");
  for (const length of [5000, LENGTH]) {
    const content = pattern(length);
    const from = home.file("from", content);
    for (const options of MANNERS) {
      await copyFile(from, to, { ...options, ring });
      assertEquals(Deno.readFileSync(to), content);
    }
  }
});

Deno.test("copyFile: a fault behind what could be read is no end", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", pattern(LENGTH));
  const to = home.file("to", "old");
  for (const fault of FAULTS) {
    await using ring = new FaultyRing([fault], true);
    for (const options of MANNERS) {
      const error = await rejection(copyFile(from, to, { ...options, ring }));
      assertInputOutputError(error, "read", { api: "copy", path: from, to });
      assertEquals(Deno.readTextFileSync(to), "old");
    }
  }
});
