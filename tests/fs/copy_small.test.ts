/** Small files copied many at a time: what they get beside data, who is asked, what goes wrong. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { setLinkTimes } from "../../ffi/mod.ts";
import { SmallQueue, type SmallSource } from "../../fs/copy_queue.ts";
import { SMALL_FILE } from "../../fs/copy_slots.ts";
import type { SmallCopy } from "../../fs/copy_small.ts";
import {
  copyTree,
  type CopyTreeEntry,
  type CopyTreeOptions,
} from "../../fs/copy_tree.ts";
import { opcodes } from "../../ops/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { openFiles } from "./both.ts";
import {
  assertSameContents,
  assertSamePortrait,
  EVERYTHING,
  pattern,
  printed,
} from "./copies.ts";

const FILES = 200;

/** So many small files in a folder, and a large one. */
function plant(home: TemporaryDirectory): string {
  const top = home.join("tree");
  Deno.mkdirSync(top);
  for (let i = 0; i < FILES; i++) {
    Deno.writeFileSync(`${top}/${i}`, pattern(i * 40, i));
  }
  Deno.writeFileSync(`${top}/large`, pattern(SMALL_FILE + 1, 1));
  return top;
}

Deno.test("copyTree: modes, times to the nanosecond and owners of small files", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const isRoot = Deno.uid() === 0;
  const modes = [0o600, 0o444, 0o4755, 0o2711, 0o1777, 0o640];
  const accessed = 1_000_000_000_123_456_789n;
  for (let i = 0; i < FILES; i++) {
    const path = `${top}/${i}`;
    if (isRoot) Deno.chownSync(path, i % 7, i % 5);
    Deno.chmodSync(path, modes[i % modes.length] ?? 0o600);
    // Some of them before 1970.
    setLinkTimes(path, accessed + BigInt(i), BigInt(i - 100) * 1_234_567_891n);
  }
  const stat = (to: string) =>
    printed("find", to, "-type", "f", "-printf", "%P %A@ %T@\\n").split("\n")
      .filter((line) => !line.startsWith("large")).sort();
  // A file that is read was read then.
  const before = stat(top);
  const all = {
    mode: true,
    timestamps: true,
    ownership: true,
    links: true,
    xattr: true,
  };
  await copyTree(top, home.join("ours"), { preserve: all });
  assertEquals(stat(home.join("ours")), before);
  printed("cp", "-a", top, home.join("theirs"));
  assertSameContents(top, home.join("ours"));
  assertSamePortrait(home.join("ours"), home.join("theirs"), EVERYTHING);
});

Deno.test("copyTree: of small files nothing is kept but what is asked for", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const isRoot = Deno.uid() === 0;
  for (let i = 0; i < FILES; i++) {
    if (isRoot) Deno.chownSync(`${top}/${i}`, 12, 34);
    Deno.chmodSync(`${top}/${i}`, 0o6757);
    Deno.utimeSync(`${top}/${i}`, 1_000_000_000, 1_000_000_000);
  }
  const umask = Deno.umask();
  const old = (info: Deno.FileInfo) => info.mtime?.getTime() === 1e12;
  for (const key of ["mode", "timestamps", "ownership", "xattr"] as const) {
    const to = home.join(key);
    await copyTree(top, to, { preserve: { [key]: true } });
    const owner = key === "ownership" && isRoot ? 12 : Deno.uid();
    const mode = key === "mode" ? 0o6757 : 0o757 & ~umask;
    for (let i = 0; i < FILES; i++) {
      const info = Deno.statSync(`${to}/${i}`);
      assertEquals(
        [(info.mode ?? 0) & 0o7777, info.uid, old(info)],
        [mode, owner, key === "timestamps"],
      );
    }
    assertSameContents(top, to);
  }
});

Deno.test({
  name: "copyTree: extended attributes of some small files among others",
  ignore: !opcodes.fsetxattr.supported(),
  fn: async () => {
    using home = new TemporaryDirectory();
    const top = plant(home);
    const { getXattr, listXattrs, setXattr } = await import(
      "../../fs/xattr.ts"
    );
    for (let i = 0; i < FILES; i += 9) {
      await setXattr(`${top}/${i}`, "user.name", `${i}`);
    }
    const preserve = { xattr: true, timestamps: true };
    const { files } = await copyTree(top, home.join("copy"), { preserve });
    assertEquals(files, FILES + 1);
    for (let i = 0; i < FILES; i++) {
      const copy = home.join(`copy/${i}`);
      assertEquals(await listXattrs(copy), i % 9 === 0 ? ["user.name"] : []);
      if (i % 9 !== 0) continue;
      const value = await getXattr(copy, "user.name");
      assertEquals(new TextDecoder().decode(value), `${i}`);
    }
    assertSameContents(top, home.join("copy"));
    assertSamePortrait(top, home.join("copy"), "%P %T@\\0");
  },
});

/** Which files a filter leaves out: every third. */
function isWanted({ from, info }: CopyTreeEntry): boolean {
  return !info.isFile || Number(from.replace(/^.*\//, "")) % 3 !== 0;
}

const FILTERS: Record<string, CopyTreeOptions["filter"] & object> = {
  "at once": isWanted,
  "by promises": (entry) => Promise.resolve(isWanted(entry)),
  "later": async (entry) => {
    await new Promise((resolve) => setTimeout(resolve));
    return isWanted(entry);
  },
  "sometimes at once": (entry) =>
    entry.from.endsWith("1") ? Promise.resolve(true) : isWanted(entry),
};

for (const [name, filter] of Object.entries(FILTERS)) {
  Deno.test(`copyTree: a filter that answers ${name} is asked once`, async () => {
    using home = new TemporaryDirectory();
    const top = plant(home);
    const to = home.join("copy");
    const asked = new Map<string, number>();
    const result = await copyTree(top, to, {
      filter: (entry) => {
        asked.set(entry.from, (asked.get(entry.from) ?? 0) + 1);
        assertEquals(entry.info.isFile, entry.from !== top);
        assertThrows(() => Deno.lstatSync(entry.to), Deno.errors.NotFound);
        return filter(entry);
      },
    });
    assertEquals(asked.size, FILES + 2);
    assertEquals(new Set(asked.values()), new Set([1]));
    const wanted = (i: number) =>
      name === "sometimes at once" && i % 10 === 1 || i % 3 !== 0;
    const kept = Array.from({ length: FILES }, (_, i) => i).filter(wanted);
    const { files, skipped, failed, folders } = result;
    assertEquals(
      [files, skipped, failed, folders],
      [kept.length + 1, FILES - kept.length, 0, 1],
    );
    const names = [...Deno.readDirSync(to)].map(({ name }) => name);
    assertEquals(names.sort(), [...kept.map(String), "large"].sort());
  });
}

Deno.test("copyTree: a filter that throws or rejects is an error of its entry", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const told: string[] = [];
  const result = await copyTree(top, home.join("copy"), {
    filter: ({ from }) => {
      if (from.endsWith("7")) throw new RangeError("no idea");
      if (from.endsWith("8")) return Promise.reject(new RangeError("no idea"));
      return true;
    },
    onError: (error, entry) => {
      assert(error instanceof RangeError);
      assert(entry.info?.isFile);
      told.push(entry.from);
    },
  });
  assertEquals(told.length, FILES / 5);
  assertEquals(new Set(told).size, told.length);
  const { files, failed, skipped } = result;
  assertEquals([files, failed, skipped], [FILES * 4 / 5 + 1, FILES / 5, 0]);
});

Deno.test("copyTree: a filter that aborts, and rejects besides", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const controller = new AbortController();
  let asked = 0;
  await assertRejects(
    () =>
      copyTree(top, home.join("copy"), {
        signal: controller.signal,
        filter: ({ info }) => {
          if (info.isDirectory || asked++ < 5) return true;
          controller.abort(new Error("enough"));
          return Promise.reject(new RangeError("no idea"));
        },
      }),
    Error,
    "enough",
  );
  assertEquals(asked, 6);
});

/** A test of the queue itself, which files go to only where the kernel can do that. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !opcodes.linkat.supported(), fn });
}

/** Files for a queue, and what became of them. */
class Files implements SmallSource, Disposable {
  readonly finishes: boolean;
  readonly home = new TemporaryDirectory();
  readonly top = plant(this.home);
  /** How many were given to the queue, and how many of them came to an end. */
  given = 0;
  copied = 0;
  refused = 0;
  failure: unknown;
  readonly #copy: Partial<SmallCopy>;

  /** Files with other properties, or other functions, than usual. */
  constructor(copy: Partial<SmallCopy>) {
    this.finishes = copy.finish !== undefined;
    this.#copy = copy;
    Deno.mkdirSync(this.home.join("copy"));
  }

  next(): SmallCopy | undefined {
    if (this.failure !== undefined || this.given === FILES) return undefined;
    const name = `${this.given++}`;
    return {
      from: `${this.top}/${name}`,
      follows: false,
      folder: this.home.join("copy"),
      to: this.home.join(`copy/${name}`),
      size: Number(name) * 40,
      mode: 0o600,
      looked: () => true,
      finish: () => true,
      copied: () => void this.copied++,
      refused: () => void this.refused++,
      ...this.#copy,
    };
  }

  failed(error: unknown): void {
    this.failure ??= error;
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

/** A function that throws when it is called for the 40th time. */
function failing(): () => true {
  let calls = 0;
  return () => {
    if (++calls === 40) throw new Error("enough");
    return true;
  };
}

for (const name of ["looked", "finish", "copied"] as const) {
  test(`small files are given back when their ring fails: in ${name}`, async () => {
    const before = openFiles();
    using files = new Files({
      [name]: failing(),
      ...(name === "looked" ? { size: -1 } : {}),
    });
    {
      await using queue = new SmallQueue(64, undefined, files);
      queue.wake();
    }
    assertEquals(String(files.failure), "Error: enough");
    const ended = files.copied + files.refused;
    if (name !== "copied") assertEquals(ended, files.given);
    else assertEquals(files.refused, files.given - 40);
    assertGreater(files.refused, 0);
    assertEquals(openFiles(), before);
  });
}

test("small files are given back when the ring of a thread that waits fails", async () => {
  const before = openFiles();
  using files = new Files({ finish: failing() });
  {
    await using queue = new SmallQueue(64, undefined, files);
    assertThrows(() => queue.run(), Error, "enough");
  }
  assertEquals(files.copied + files.refused, files.given);
  assertEquals(openFiles(), before);
});

test("small files copied by a thread that waits", async () => {
  const modes: number[] = [];
  using files = new Files({
    finish: (fd) => {
      modes.push((Deno.statSync(`/proc/self/fd/${fd}`).mode ?? 0) & 0o777);
      // Every fourth needs more care.
      return modes.length % 4 !== 0;
    },
  });
  await using queue = new SmallQueue(16, undefined, files);
  queue.run();
  assertEquals(modes, Array.from({ length: FILES }, () => 0o600));
  assertEquals([files.copied, files.refused], [FILES * 3 / 4, FILES / 4]);
  const copies = [...Deno.readDirSync(files.home.join("copy"))];
  assertEquals(copies.length, files.copied);
  for (const { name } of copies) {
    assertEquals(
      Deno.readFileSync(files.home.join(`copy/${name}`)),
      pattern(Number(name) * 40, Number(name)),
    );
  }
});

test("small files that are none any more, or lead elsewhere, are given back", async () => {
  const errors: number[] = [];
  using files = new Files({ size: -1, looked: () => false });
  await using queue = new SmallQueue(64, undefined, files);
  queue.run();
  // They are not heard of again.
  assertEquals([files.given, files.copied, files.refused], [FILES, 0, 0]);
  Deno.removeSync(files.top, { recursive: true });
  using others = new Files({
    size: -1,
    refused: (errno) => void errors.push(errno),
  });
  for (let i = 0; i < FILES; i += 2) Deno.removeSync(`${others.top}/${i}`);
  for (let i = 1; i < FILES; i += 2) {
    Deno.removeSync(`${others.top}/${i}`);
    Deno.symlinkSync("large", `${others.top}/${i}`);
  }
  await using another = new SmallQueue(64, undefined, others);
  another.run();
  assertEquals(others.copied, 0);
  assertEquals(errors.length, FILES);
});
