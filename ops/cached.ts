/**
 * Reads that tell whether the page cache had the data.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { EAGAIN, RWF_NOWAIT } from "../ffi/linux.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags } from "./arguments.ts";
import { type Completion, type Held, Op } from "./op.ts";
import type { Kind, ReadWriteOptions } from "./transfer.ts";

// The same number on x86-64 and aarch64.

/**
 * What a read does with data that is not in the page cache: `"only"` gives null, and leaves the
 * disk alone but for readahead that the kernel may start; `"report"` reads it all the same, and
 * says which it was.
 */
export type Cached = "only" | "report";

/** Options of a read of files that go through the page cache. */
export interface CachedOptions<C extends Cached> extends ReadWriteOptions {
  /**
   * The read is tried with `RWF_NOWAIT`. EAGAIN is a miss: `"only"` gives null for it, `"report"`
   * sends the read again without that flag. A hit costs nothing more than a plain read; a miss
   * one more entry.
   *
   * A file system that cannot tell answers EOPNOTSUPP. With O_DIRECT there is no cache to ask, and
   * with `IOSQE_ASYNC` nobody who does: a worker waits, and every read counts as a hit.
   */
  cached: C;
}

/** What a read with `{ cached: "report" }` gives. */
export interface CachedRead {
  /** The number of bytes read; 0 at the end of the file. */
  readonly bytes: number;
  /**
   * Whether they were in the page cache. A read of which only the beginning was there is a hit
   * of fewer bytes than asked for: a short read, and the next one a miss.
   */
  readonly hit: boolean;
}

/**
 * A read that asks the page cache first.
 *
 * @param make the plain read, with these `RWF_*`.
 */
export function cachedRead(
  { builder }: Kind,
  { cached, flags = 0 }: CachedOptions<Cached>,
  make: (flags: number) => Op<number>,
): Op<number | null> | Op<CachedRead> {
  checkFlags(`${builder}: flags`, flags);
  if (cached !== "only" && cached !== "report") {
    throw new TypeError(
      `${builder}: cached must be "only" or "report"; got ${show(cached)}.`,
    );
  }
  if ((flags & RWF_NOWAIT) !== 0) {
    throw new RangeError(
      `${builder}: cached sets RWF_NOWAIT itself, first or always: leave it out of flags.`,
    );
  }
  const first = make(flags | RWF_NOWAIT);
  return cached === "only"
    ? new CachedOnly(first)
    : new CachedReport(first, () => make(flags));
}

/** A read under another name for its result. */
abstract class Wrapped<T> extends Op<T> {
  declare protected readonly inner: Op<number>;

  constructor(inner: Op<number>) {
    super(inner.opcode, inner.name);
    this.inner = inner;
  }

  override encode(sqe: Sqe): Held {
    return this.inner.encode(sqe);
  }

  override hint(errno: number): string | undefined {
    return this.inner.hint(errno);
  }
}

class CachedOnly extends Wrapped<number | null> {
  override failed(completion: Completion): boolean {
    return completion.res < 0 && completion.res !== -EAGAIN;
  }

  override decode(completion: Completion, held: Held): number | null {
    const count = this.inner.decode(completion, held);
    return count < 0 ? null : count;
  }
}

class CachedReport extends Wrapped<CachedRead> {
  declare private readonly plain: () => Op<number>;

  constructor(first: Op<number>, plain: () => Op<number>) {
    super(first);
    this.plain = plain;
  }

  override get retries(): boolean {
    return true;
  }

  override retry(completion: Completion): Op<CachedRead> | undefined {
    return completion.res === -EAGAIN ? new Missed(this.plain()) : undefined;
  }

  override decode(completion: Completion, held: Held): CachedRead {
    return { bytes: this.inner.decode(completion, held), hit: true };
  }
}

/** The read of what was not in the page cache. */
class Missed extends Wrapped<CachedRead> {
  override decode(completion: Completion, held: Held): CachedRead {
    return { bytes: this.inner.decode(completion, held), hit: false };
  }
}
