/**
 * Random programs of several rings that send messages to each other. Each message that the kernel
 * posts is heard once, in order; one that it refuses is told of.
 */

import { assert, assertEquals } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import { EBADF, ECANCELED } from "../../ffi/linux.ts";
import { Uring } from "../../proactor/mod.ts";
import { SimulatedKernel } from "./kernel.ts";
import { type SimulatedWake, VirtualLoop } from "./loop.ts";
import { Random } from "./random.ts";
import type { SimulatedRing } from "./ring.ts";
import { drawStart } from "./ring_program.ts";
import type { Note } from "./seeds.ts";
import { drawWhims } from "./whims.ts";
import { work } from "./works.ts";

/** The high half of a message's `user_data`. */
const MESSAGE = 2;

const RUNNING = [
  0,
  abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_TASKRUN_FLAG,
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN,
  abi.IORING_SETUP_SQPOLL,
];

/** One who sends and listens. */
interface Post {
  readonly uring: Uring;
  readonly ring: SimulatedRing;
  readonly heard: string[];
  bell: SimulatedWake | undefined;
  closing: boolean;
}

class MessageProgram {
  readonly #random: Random;
  readonly #kernel: SimulatedKernel;
  readonly #loop: VirtualLoop;
  readonly #posts: Post[] = [];
  readonly #promises: Promise<void>[] = [];
  readonly #failures: unknown[] = [];
  #next = 1;

  constructor(kernel: SimulatedKernel, loop: VirtualLoop) {
    this.#random = kernel.random;
    this.#kernel = kernel;
    this.#loop = loop;
    for (let count = this.#random.between(1, 3); count > 0; count--) {
      this.#posts.push(this.#open());
    }
    loop.onBlock = () => this.#posts.forEach((post) => this.#check(post));
  }

  #open(): Post {
    const random = this.#random;
    const uring = new Uring({
      entries: random.between(2, 8),
      cqEntries: random.between(8, 12),
      flags: random.pick(RUNNING),
      backend: this.#kernel,
      spin: random.pick([0, 40]),
      wake: (ring, onRing) => post.bell = this.#loop.wake(ring, onRing),
    });
    const post: Post = {
      uring,
      ring: this.#kernel.ringOf(uring.ring.fd),
      heard: [],
      bell: undefined,
      closing: false,
    };
    uring.onMessage = (value, data) => void post.heard.push(`${value} ${data}`);
    return post;
  }

  async run(): Promise<void> {
    await this.#loop.run(() => this.#main());
    if (this.#failures.length > 0) throw this.#failures[0];
    await this.#loop.settle();
    for (const { bell } of this.#posts) assert(bell?.closed !== false);
    assertEquals(this.#kernel.ledger.taken.size, 0, "blocks were leaked");
  }

  async #main(): Promise<void> {
    const random = this.#random;
    for (let steps = random.between(5, 40); steps > 0; steps--) {
      const action = random.weighted({
        send: 6,
        work: 3,
        pause: 3,
        close: 0.2,
      });
      if (action === "send") this.#send();
      else if (action === "work") this.#work();
      else if (action === "pause") await this.#loop.pass(random.pick([0, 1]));
      else void this.#close(random.pick(this.#posts));
    }
    while (this.#busy) await this.#loop.pass(1);
    await this.#loop.pass(1);
    for (const post of this.#posts) if (!post.closing) this.#compare(post);
    for (const post of this.#posts) await this.#close(post);
    await Promise.all(this.#promises);
  }

  #send(): void {
    const from = this.#random.pick(this.#posts);
    const to = this.#random.pick(this.#posts);
    const value = this.#random.word() | 0;
    const data = this.#next++;
    const sent = from.uring.post(to.uring.ring.fd, value, data);
    this.#promises.push(sent.then(
      () =>
        this.#expect(this.#answer(from, data) === 0, `${data} was not sent`),
      (reason) => {
        const refused = isSystemError(reason)
          ? reason.errno === EBADF && this.#answer(from, data) === -EBADF ||
            reason.errno === ECANCELED && from.closing
          : reason instanceof TypeError && from.closing;
        this.#expect(refused, `${data} failed with ${reason}`);
      },
    ));
  }

  #expect(condition: boolean, message: string): void {
    if (!condition) this.#failures.push(new Error(message));
  }

  /** What the kernel answered to a message. */
  #answer({ ring }: Post, data: number): number | undefined {
    return ring.journal.find(({ opcode, words }) =>
      opcode === abi.IORING_OP_MSG_RING && words[2] === data
    )?.final?.res;
  }

  #work(): void {
    const { uring } = this.#random.pick(this.#posts);
    const op = work("fsync", 1, 0, { decoded: 0 });
    this.#promises.push(uring.submit(op).then(() => {}, () => {}));
  }

  async #close(post: Post): Promise<void> {
    post.closing = true;
    await post.uring.close();
  }

  get #busy(): boolean {
    return this.#posts.some(({ uring, ring }) =>
      !uring.ring.closed &&
      (uring.stats.inFlight + uring.stats.queued > 0 || ring.undelivered)
    );
  }

  #compare({ ring, heard, uring }: Post): void {
    const posted = ring.queues.log.filter(({ high }) => high === MESSAGE)
      .map(({ res, low }) => `${res} ${low}`);
    assertEquals(heard, posted);
    assertEquals(uring.stats.strays, ring.ghosts);
  }

  #check({ ring, bell, closing }: Post): void {
    if (closing) return;
    assert(!ring.undelivered, "a message was left lying");
    assert(bell?.alive === true, "one listens, and the process would end");
  }
}

/** Runs the program of a seed. */
export async function runMessageProgram(
  seed: number,
  note?: Note,
): Promise<void> {
  const random = new Random(seed);
  const whims = { ...drawWhims(random), split: 0, never: 0, ghost: 0 };
  using kernel = new SimulatedKernel({
    random,
    whims,
    start: () => drawStart(random),
    ...(note === undefined ? {} : { note }),
  });
  using loop = new VirtualLoop(kernel);
  await new MessageProgram(kernel, loop).run();
}
