/**
 * The contestants that await: `Uring`, and Deno's own file, answering the same commands as
 * contestant.ts.
 *
 *     promises.ts uring nop|read IN_FLIGHT SETUP_FLAGS [FILE cached|direct]
 *     promises.ts batches nop IN_FLIGHT SETUP_FLAGS
 *     promises.ts floor nop IN_FLIGHT SETUP_FLAGS
 *     promises.ts file read 1 0 FILE cached
 *
 * `IN_FLIGHT` loops each await one op after the other. There is no batch: what the loops submit in
 * one turn goes to the kernel together, as in a program. Only `batches` is the loop of C: it submits
 * so many, awaits them all, and submits the next.
 *
 * `floor` is what awaiting costs by itself: a ring, and for each op the cheapest promise there is.
 */
import { constants, fstatSync, openSync } from "node:fs";
import { Memory } from "../ffi/mod.ts";
import { nop, prepNop, read } from "../ops/mod.ts";
import { Uring } from "../proactor/mod.ts";
import { type Cqe, Ring } from "../ring/mod.ts";
import { BLOCK, offsets } from "./offsets.ts";
import { contend, serve } from "./serve.ts";

const OPERATIONS_PER_CLOCK_READ = 256;

/**
 * Awaits so many ops, one after the other, and checks each. A loop for each kind of op: one that
 * calls a function which awaits would measure that function's promise too.
 */
type Loop = (count: number, index: number) => Promise<void>;

function check(result: number | null, expected: number): void {
  if (result !== expected) {
    throw new Error(`an op gave ${result}; ${expected} was due`);
  }
}

function nopLoop(uring: Uring): Loop {
  return async (count) => {
    for (let i = 0; i < count; i++) check(await uring.submit(nop()), 0);
  };
}

function nopBatches(uring: Uring, inFlight: number): Loop {
  const batch: Promise<number>[] = [];
  return async (count) => {
    for (let done = 0; done < count; done += inFlight) {
      for (let i = 0; i < inFlight; i++) batch[i] = uring.submit(nop());
      for (let i = 0; i < inFlight; i++) check(await batch[i] ?? null, 0);
    }
  };
}

/** No check of arguments, no slots, no generations, no errors, no queue where the ring is full. */
function floorLoop(ring: Ring, inFlight: number): Loop {
  const ready = Promise.resolve();
  const results = new Int32Array(inFlight);
  const visit = (cqe: Cqe) => {
    results[cqe.tag] = cqe.res;
  };
  let waiting = false;
  const collect = (index: number) => () => {
    if (waiting) {
      waiting = false;
      ring.submit();
      ring.forEachCqe(visit);
    }
    return results[index] as number;
  };
  const collects = Array.from({ length: inFlight }, (_, i) => collect(i));
  const submit = (index: number): Promise<number> => {
    const sqe = ring.sqe();
    if (sqe === null) throw new Error("the ring holds too few");
    prepNop(sqe);
    sqe.tag = index;
    results[index] = -1;
    waiting = true;
    return ready.then(collects[index] as () => number);
  };
  return async (count, index) => {
    for (let i = 0; i < count; i++) check(await submit(index), 0);
  };
}

function readLoop(
  uring: Uring,
  inFlight: number,
  path: string,
  access: string,
): Loop {
  const direct = access === "direct" ? constants.O_DIRECT : 0;
  const fd = openSync(path, constants.O_RDONLY | direct);
  const nextOffset = offsets(fstatSync(fd).size);
  // Memory of the library's begins at a page, as O_DIRECT wants it.
  const { bytes } = new Memory(inFlight * BLOCK);
  return async (count, index) => {
    const buffer = bytes.subarray(index * BLOCK, (index + 1) * BLOCK);
    for (let i = 0; i < count; i++) {
      check(
        await uring.submit(read(fd, buffer, { offset: nextOffset() })),
        BLOCK,
      );
    }
  };
}

async function fileLoop(path: string): Promise<Loop> {
  const file = await Deno.open(path);
  const nextOffset = offsets((await file.stat()).size);
  const buffer = new Uint8Array(BLOCK);
  return async (count) => {
    for (let i = 0; i < count; i++) {
      await file.seek(nextOffset(), Deno.SeekMode.Start);
      check(await file.read(buffer), BLOCK);
    }
  };
}

async function run(
  loop: Loop,
  loops: number,
  seconds: number,
): Promise<string> {
  let operations = 0;
  const start = performance.now();
  const until = start + seconds * 1000;
  const repeat = async (index: number) => {
    do {
      await loop(OPERATIONS_PER_CLOCK_READ, index);
      operations += OPERATIONS_PER_CLOCK_READ;
    } while (performance.now() < until);
  };
  await Promise.all(Array.from({ length: loops }, (_, index) => repeat(index)));
  return `done ${operations} ${
    ((performance.now() - start) / 1000).toFixed(9)
  }`;
}

async function main(args: string[]): Promise<void> {
  const [contestant, operation, loopsText, flagsText, path = "", access = ""] =
    args;
  const loops = Number(loopsText);
  if (contestant === "file") {
    const loop = await fileLoop(path);
    await serve(
      (seconds) => run(loop, loops, seconds),
      `ready ${flagsText} Deno.FsFile`,
    );
    return;
  }
  if (contestant === "floor") {
    using ring = new Ring({ entries: 256, flags: Number(flagsText) });
    const loop = floorLoop(ring, loops);
    await serve(
      (seconds) => run(loop, loops, seconds),
      `ready ${ring.flags} ${ring.backend}`,
    );
    return;
  }
  await using uring = new Uring({ flags: Number(flagsText) });
  const inBatches = contestant === "batches";
  const loop = inBatches
    ? nopBatches(uring, loops)
    : operation === "nop"
    ? nopLoop(uring)
    : readLoop(uring, loops, path, access);
  await serve(
    (seconds) => run(loop, inBatches ? 1 : loops, seconds),
    `ready ${uring.ring.flags} ${uring.ring.backend}`,
  );
}

if (import.meta.main) await contend(main);
