/**
 * The TypeScript contestant: the loops of c/contestant.c, on `Ring`, answering the same commands.
 *
 *     contestant.ts nop|read|read-fixed BATCH SETUP_FLAGS [FILE cached|direct]
 *
 * prints `ready SETUP_FLAGS BACKEND` and then answers each line `run SECONDS` on its standard
 * input with `done OPERATIONS SECONDS`. What goes wrong is one line, `error SENTENCE`.
 */
import { constants, fstatSync, openSync } from "node:fs";
import { IORING_SETUP_SQPOLL, IOSQE_FIXED_FILE, Memory } from "../ffi/mod.ts";
import { prepNop, prepRead, prepReadFixed } from "../ops/mod.ts";
import { type Cqe, Ring, type Sqe } from "../ring/mod.ts";
import { BLOCK, offsets } from "./offsets.ts";
import { contend } from "./serve.ts";

// Numbers that c/contestant.c has too: both sides must do the same work.
const ENTRIES = 128;
const SQ_THREAD_IDLE_MS = 50;
const OPERATIONS_PER_CLOCK_READ = 256;

interface File {
  readonly fd: number;
  readonly memory: Memory;
  readonly nextOffset: () => number;
}

function nextSqe(ring: Ring): Sqe {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("the submission queue is full");
  return sqe;
}

function nopFiller(ring: Ring, batch: number): () => void {
  return () => {
    for (let i = 0; i < batch; i++) {
      const sqe = nextSqe(ring);
      prepNop(sqe);
      sqe.tag = i;
    }
  };
}

function readFiller(ring: Ring, batch: number, file: File): () => void {
  const { fd, nextOffset, memory: { address } } = file;
  return () => {
    for (let i = 0; i < batch; i++) {
      const sqe = nextSqe(ring);
      prepRead(sqe, fd, address + i * BLOCK, BLOCK, nextOffset());
      sqe.tag = i;
    }
  };
}

function fixedReadFiller(ring: Ring, batch: number, file: File): () => void {
  const { fd, nextOffset, memory } = file;
  const { address } = memory;
  ring.buffers.register([memory.bytes]);
  ring.files.register([fd]);
  return () => {
    for (let i = 0; i < batch; i++) {
      const sqe = nextSqe(ring);
      prepReadFixed(sqe, 0, address + i * BLOCK, BLOCK, nextOffset(), 0);
      sqe.flags = IOSQE_FIXED_FILE;
      sqe.tag = i;
    }
  };
}

function openFile(path: string, direct: boolean, batch: number): File {
  const flags = constants.O_RDONLY | (direct ? constants.O_DIRECT : 0);
  const fd = openSync(path, flags);
  const nextOffset = offsets(fstatSync(fd).size);
  return { fd, nextOffset, memory: new Memory(batch * BLOCK) };
}

/** One batch: filled, submitted, waited for and drained. */
function rounds(
  ring: Ring,
  fill: () => void,
  batch: number,
  result: number,
): () => void {
  // The tags of a batch are 0 to batch - 1: their sum tells that each came, and once.
  const due = batch * (batch - 1) / 2;
  let tags = 0;
  const visit = (cqe: Cqe) => {
    const { res } = cqe;
    if (res !== result) {
      throw new Error(`a completion has res ${res}; ${result} was due`);
    }
    tags += cqe.tag;
  };
  const submitAndSpin = () => {
    ring.submit();
    for (let done = 0; done < batch;) done += ring.forEachCqe(visit);
  };
  const submitAndWait = () => {
    for (let done = 0; done < batch;) {
      ring.submitAndWait(batch - done);
      done += ring.forEachCqe(visit);
    }
  };
  const sqpoll = (ring.flags & IORING_SETUP_SQPOLL) !== 0;
  const complete = sqpoll ? submitAndSpin : submitAndWait;
  return () => {
    tags = 0;
    fill();
    complete();
    if (tags !== due) {
      throw new Error(`the tags of a batch of ${batch} add up to ${tags}`);
    }
  };
}

function run(round: () => void, batch: number, seconds: number): string {
  const roundsPerClockRead = Math.ceil(OPERATIONS_PER_CLOCK_READ / batch);
  let operations = 0;
  let elapsed = 0;
  round(); // wakes the SQPOLL thread, outside the time
  const start = performance.now();
  do {
    for (let i = 0; i < roundsPerClockRead; i++) round();
    operations += roundsPerClockRead * batch;
    elapsed = (performance.now() - start) / 1000;
  } while (elapsed < seconds);
  return `done ${operations} ${elapsed.toFixed(9)}`;
}

function setUp(args: string[]): { ring: Ring; round: () => void } {
  const [operation, batchText, flagsText, path, access] = args;
  const batch = Number(batchText);
  const flags = Number(flagsText);
  const ring = new Ring({
    entries: ENTRIES,
    flags,
    ...(flags & IORING_SETUP_SQPOLL ? { sqThreadIdle: SQ_THREAD_IDLE_MS } : {}),
  });
  if (path === undefined) {
    return { ring, round: rounds(ring, nopFiller(ring, batch), batch, 0) };
  }
  const file = openFile(path, access === "direct", batch);
  const filler = operation === "read-fixed" ? fixedReadFiller : readFiller;
  const fill = filler(ring, batch, file);
  return { ring, round: rounds(ring, fill, batch, BLOCK) };
}

/**
 * The lines of standard input. Read synchronously: the event loop stays out of the measurement,
 * and a contestant that waits for its turn is a thread asleep in `read`.
 */
function* commands(): Generator<string> {
  const bytes = new Uint8Array(4096);
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const count = Deno.stdin.readSync(bytes);
    if (count === null) return;
    const lines = (rest + decoder.decode(bytes.subarray(0, count))).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function main(args: string[]): void {
  const { ring, round } = setUp(args);
  using _closedAtTheEnd = ring;
  console.log(`ready ${ring.flags} ${ring.backend}`);
  for (const command of commands()) {
    const seconds = Number(command.match(/^run (\d+(?:\.\d+)?)$/)?.[1]);
    if (Number.isNaN(seconds)) throw new Error(`unknown command: ${command}`);
    console.log(run(round, Number(args[1]), seconds));
  }
}

if (import.meta.main) await contend(main);
