/** `statMany`: what is behind many paths. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { statMany } from "../../fs/batch.ts";
import { assertSame } from "./errors.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { emulated } from "../support/machine.ts";

Deno.test("statMany: tells what Deno.stat does, in order", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from(
    { length: 1000 },
    (_, i) => home.file(`${i}`, "x".repeat(i)),
  );
  paths.push("/", "/dev/null", "/proc/self/exe", home.path);
  let at = 0;
  for await (const { path, index, info, error } of statMany(paths)) {
    assertEquals([path, index, error], [paths[at], at, undefined]);
    const theirs = Deno.statSync(path);
    if (!info.isFile) assertEquals(info.mode, theirs.mode);
    else assertEquals(info, theirs);
    at++;
  }
  assertEquals(at, paths.length);
});

Deno.test("statMany: links themselves, if they are not to be followed", async () => {
  using home = new TemporaryDirectory();
  const target = home.file("target", "12345");
  Deno.symlinkSync(target, home.join("link"));
  Deno.symlinkSync("nowhere", home.join("dangling"));
  const paths = ["link", "dangling", "target"].map((name) => home.join(name));
  const followed = await Array.fromAsync(statMany(paths, { errors: "yield" }));
  assertEquals(followed.map(({ info }) => info?.size), [5, undefined, 5]);
  assert(followed[1]?.error instanceof Deno.errors.NotFound);
  const kept = await Array.fromAsync(
    statMany(paths, { followSymlinks: false }),
  );
  assertEquals(
    kept.map(({ info }) => [info.isSymlink, info.size]),
    [[true, target.length], [true, 7], [false, 5]],
  );
});

Deno.test("statMany: errors are Deno's, thrown or yielded", async () => {
  const paths = [
    "/nope",
    "/dev/null/x",
    `/${"x".repeat(300)}`,
    "/x".repeat(3000),
  ];
  for (const follow of [true, false]) {
    const options = { followSymlinks: follow, errors: "yield" } as const;
    const theirs = follow ? Deno.stat : Deno.lstat;
    for await (const { path, error } of statMany(paths, options)) {
      assertSame(error, await assertRejects(() => theirs(path)));
    }
  }
  await assertRejects(
    () => Array.fromAsync(statMany(paths)),
    Deno.errors.NotFound,
  );
});

Deno.test("statMany: as they are done, each once, with many in flight", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from({ length: 300 }, (_, i) => home.file(`${i}`, "x"));
  const many = function* () {
    for (let round = 0; round < 20; round++) yield* paths;
  };
  for (const concurrency of [1, 2, 256, 1024]) {
    const seen = new Uint8Array(6000);
    const options = { ordered: false, concurrency };
    for await (const { index } of statMany(many(), options)) seen[index]!++;
    assert(seen.every((times) => times === 1));
  }
});

Deno.test("statMany: paths of every length that the kernel takes, none longer", async () => {
  using home = new TemporaryDirectory();
  const name = home.file("é".repeat(127), "");
  const longest = `${
    "/".repeat(4095 - new TextEncoder().encode(name).length)
  }${name}`;
  const results = await Array.fromAsync(
    statMany([name, longest, `/${longest}`], { errors: "yield" }),
  );
  const [first, second, third] = results;
  assertEquals([first?.info?.isFile, second?.info?.isFile], [true, true]);
  assertEquals((third?.error as { code?: string })?.code, "ENAMETOOLONG");
});

Deno.test("statMany: timers tick, and two run side by side", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const many = function* () {
    for (let i = 0; i < 20_000; i++) yield i % 2 === 0 ? "/" : "/tmp";
  };
  const count = async () => {
    let found = 0;
    for await (const { info } of statMany(many())) found += +info.isDirectory;
    return found;
  };
  const begun = performance.now();
  assertEquals(await Promise.all([count(), count()]), [20_000, 20_000]);
  clearInterval(timer);
  assertGreater(ticks, emulated ? 0 : (performance.now() - begun) / 50);
});

Deno.test("statMany: an iterator that was never asked, or left, leaves nothing", async () => {
  statMany(["/"]);
  const iterator = statMany(Array<string>(500).fill("/"));
  await iterator.next();
  await iterator.return?.();
  assertEquals(await iterator.next(), { done: true, value: undefined });
});

Deno.test("statMany: calls of next wait for each other, and it is over once", async () => {
  const paths = Array.from({ length: 300 }, (_, i) => i === 250 ? "/-" : "/");
  const iterator = statMany(paths);
  const all = await Promise.allSettled(paths.map(() => iterator.next()));
  for (const [i, outcome] of all.entries()) {
    if (i === 250) {
      assertEquals(outcome.status, "rejected");
      continue;
    }
    assert(outcome.status === "fulfilled");
    const { done, value } = outcome.value;
    assertEquals(
      [done, value?.index],
      i < 250 ? [false, i] : [true, undefined],
    );
  }
  const left = statMany(paths);
  const answers = [left.next(), left.return?.(), left.next()];
  const [first, ...others] = await Promise.all(answers);
  assertEquals(first?.value?.index, 0);
  for (const answer of others) {
    assertEquals(answer, { done: true, value: undefined });
  }
});

Deno.test("statMany: arguments are checked", () => {
  assertThrows(
    () => statMany([], { followSymlinks: "no" as unknown as boolean }),
    TypeError,
    "followSymlinks",
  );
  assertThrows(() => statMany([], { concurrency: 1.5 }), Error, "concurrency");
});
