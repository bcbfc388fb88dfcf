/**
 * What the process has of the kernel and of the library's pools: the same before a test and
 * after it, or something leaks.
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import { Block } from "../../ffi/mod.ts";
import { ringMappings } from "./maps.ts";

/** The blocks that are taken out of their pool. */
const taken = new Set<Block>();

/** Block's two doors, watched: a block goes out by one and comes back by the other. */
function watchBlocks(): void {
  const { reuse } = Block;
  Block.reuse = (block) => {
    taken.add(block);
    return reuse(block);
  };
  const { release } = Block.prototype;
  Block.prototype.release = function (this: Block) {
    taken.delete(this);
    release.call(this);
  };
}
watchBlocks();

/** What there is of each kind. */
export interface Census {
  /** Descriptors, by what they are of; sockets apart. */
  descriptors: Record<string, number>;
  sockets: number;
  /** Queues of rings that are mapped. */
  ringMappings: number;
  /** Blocks that somebody has. */
  blocks: number;
}

/** Counts. */
export function census(): Census {
  const descriptors: Record<string, number> = {};
  let sockets = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    const kind = kindOf(name);
    if (kind === "socket") sockets++;
    else if (kind !== undefined) {
      descriptors[kind] = (descriptors[kind] ?? 0) + 1;
    }
  }
  return {
    descriptors,
    sockets,
    ringMappings: ringMappings(),
    blocks: taken.size,
  };
}

function kindOf(fd: string): string | undefined {
  try {
    // Pipes and sockets have numbers.
    return Deno.readLinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, "");
  } catch (error) {
    // The descriptor that the directory itself was read with.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Fails if there is more than there was before. */
export function assertNoLeak(before: Census): void {
  const now = census();
  const more = Object.entries(now.descriptors).filter(([kind, count]) =>
    count > (before.descriptors[kind] ?? 0)
  );
  assertEquals(more, [], "descriptors leaked");
  assertLessOrEqual(now.ringMappings, before.ringMappings, "queues leaked");
  assertLessOrEqual(now.blocks, before.blocks, "blocks leaked");
  // The runtime makes a pair of its own, once, when it likes.
  assertLessOrEqual(now.sockets, before.sockets + 2, "sockets leaked");
}
