/**
 * README.md: what it says can be done as it says. Its scripts are also checked and run as
 * documentation, with every permission.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";
import configuration from "../../deno.json" with { type: "json" };
import { close, nop, opcodes, openat, prepRead, run } from "../../ops/mod.ts";
import {
  closeDescriptor,
  errnoName,
  eventfd,
  IORING_OP_READ,
  IORING_SETUP_R_DISABLED,
  IOSQE_ASYNC,
  Memory,
  readRecvmsgOut,
  strerror,
} from "../../ffi/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";

const ROOT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");
const README = Deno.readTextFileSync(`${ROOT}/README.md`);

/** The code blocks in a language. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms");
  return Array.from(README.matchAll(fence), ([, code = ""]) => code);
}

/** A folder of a program that has the clone for a library, as README says. */
function program(): TemporaryDirectory {
  const folder = new TemporaryDirectory();
  const [json = ""] = blocks("json");
  Deno.writeTextFileSync(
    folder.join("deno.json"),
    json.replace('"../uring"', JSON.stringify(ROOT)),
  );
  return folder;
}

async function deno(
  folder: TemporaryDirectory,
  flags: string[],
  code: string,
): Promise<{ stdout: string; stderr: string; success: boolean }> {
  const path = folder.join("first.ts");
  Deno.writeTextFileSync(path, code);
  const config = `--config=${folder.join("deno.json")}`;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", config, ...flags, path],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    success,
  };
}

Deno.test("README: a program elsewhere finds every entry point", async () => {
  using folder = program();
  const names = Object.keys(configuration.exports)
    .map((name) => `@uring/uring${name.slice(1)}`);
  const code = names.map((name) => `import "${name}";`).join("\n");
  const { stderr, success } = await deno(folder, ["--allow-ffi"], code);
  assert(success, stderr);
});

Deno.test("README: each script runs with the permissions that it is given", async () => {
  using folder = program();
  const scripts = blocks("ts");
  const [, flags = ""] = /`deno run (--allow.*) first\.ts`/.exec(README) ?? [];
  assertMatch(flags, /^--allow-ffi /);
  assert(scripts.length >= 6);
  for (const code of scripts) {
    const isOfFiles = /from "@uring\/uring";/.test(code) &&
      !code.includes("new Uring()");
    const given = isOfFiles ? flags.split(" ") : ["--allow-ffi"];
    const { stdout, stderr, success } = await deno(folder, given, code);
    assert(success, stderr);
    assert(stdout.length > 0, code);
  }
});

Deno.test("README: the tasks and files that it names are there", () => {
  const tasks = Array.from(
    README.matchAll(/\bdeno (?:@[\d.]+ )?task ([\w:]+)/g),
    ([, name]) => name,
  );
  const known = Object.keys(configuration.tasks);
  assertEquals(tasks.filter((name) => !known.includes(name ?? "")), []);
  const paths = [
    ...README.matchAll(/\]\((?!https?:)([^)#]+)\)/g),
    ...README.matchAll(/`((?:docs|examples|tests|ring)\/[\w./]*)`/g),
    ...README.matchAll(/^(\w+\/) {2,}\w/gm),
  ].map(([, path]) => path);
  assert(paths.length > 10);
  for (const path of paths) Deno.statSync(`${ROOT}/${path}`);
});

/** The rows of the table of liburing's names: each in C, and here. */
function liburing(): Map<string, string> {
  const [, section = ""] = README.split("## If you know liburing");
  const [table = ""] = section.split("\n## ");
  const rows = table.matchAll(/^\| (.*?) +\| (.*?) +\|$/gm);
  return new Map(Array.from(rows, ([, c = "", here = ""]) => [c, here]));
}

/** By a word of each row: what is in its right side, done. */
const DONE: Record<
  string,
  (ring: Ring, memory: Memory) => void | Promise<void>
> = {
  "io_uring_queue_init": () => {
    for (const options of [32, { entries: 32, flags: 0 }]) {
      using ring = new Ring(options);
      assertEquals(ring.sq.entries, 32);
    }
  },
  "io_uring_queue_exit": () => {
    using ring = new Ring(2);
    ring.close();
    assert(ring.closed);
  },
  "io_uring_get_sqe": (ring) => assert(ring.sqe() !== null),
  "io_uring_prep_read": (ring, memory) => {
    const fd = run(ring, openat("/proc/version", 0));
    const sqe = ring.sqe();
    assert(sqe !== null);
    prepRead(sqe, fd, memory.address, 5, 0);
    ring.submitAndWait(1);
    ring.forEachCqe((cqe) => assertEquals(cqe.res, 5));
    assertEquals(
      new TextDecoder().decode(memory.bytes.subarray(0, 5)),
      "Linux",
    );
    run(ring, close(fd));
  },
  "io_uring_sqe_set_data64": (ring) => {
    for (const full of [true, false]) {
      const sqe = ring.sqe();
      assert(sqe !== null);
      if (full) sqe.userData = 2n ** 63n;
      else sqe.tag = 7;
      sqe.flags = IOSQE_ASYNC;
    }
    ring.submitAndWait(2);
    const seen: bigint[] = [];
    ring.forEachCqe((cqe) => seen.push(cqe.userData));
    assertEquals(seen.sort(), [7n, 2n ** 63n]);
  },
  "`io_uring_submit`": (ring) => {
    ring.sqe();
    assertEquals(ring.submit(), 1);
    ring.sqe();
    assertEquals(ring.submitAndWait(2), 1);
    assertEquals(ring.cq.ready, 2);
  },
  "io_uring_wait_cqes": (ring) => {
    assertEquals(ring.wait(1, { timeout: 1 }), 0);
  },
  "io_uring_submit_and_wait_timeout": (ring) => {
    ring.sqe();
    assertEquals(ring.submitAndWait(2, { timeout: 1 }), 1);
  },
  "io_uring_submit_and_wait_reg": () => {
    if (!opcodes.epollWait.supported()) return; // Linux 6.15; waits need 6.13.
    using ring = new Ring({ entries: 2, flags: IORING_SETUP_R_DISABLED });
    const waits = ring.registerWaits(1);
    ring.enable();
    waits.set(0, { timeout: 1 });
    ring.sqe();
    assertEquals(ring.submitAndWaitRegistered(2, 0), 1);
  },
  "io_uring_for_each_cqe": (ring) => {
    assertEquals(ring.forEachCqe(() => {}), 0);
    ring.sqe();
    ring.submitAndWait(1);
    assertEquals(ring.forEachCqe((cqe) => assertEquals(cqe.res, 0)), 1);
    assertEquals(ring.cq.ready, 0);
  },
  "strerror": () => {
    assertEquals([strerror(2), errnoName(2)], [
      "No such file or directory",
      "ENOENT",
    ]);
  },
  "cqe->res ==": (ring) => {
    const sqe = ring.sqe();
    assert(sqe !== null);
    prepRead(sqe, -1, 0, 0, 0);
    ring.submitAndWait(1);
    ring.forEachCqe((cqe) => assertEquals(errnoName(-cqe.res), "EBADF"));
  },
  "io_uring_register_buffers": (ring, memory) => {
    ring.buffers.register([memory.bytes]);
    ring.files.register([0]);
    const fd = eventfd();
    ring.eventfd.register(fd);
    closeDescriptor(fd);
    assertEquals([ring.buffers.length, ring.files.length], [1, 1]);
  },
  "io_uring_setup_buf_ring": (ring, memory) => {
    if (!opcodes.socket.supported()) return; // Both came with Linux 5.19.
    using buffers = ring.setupBufRing({ entries: 2, group: 1 });
    buffers.add(1, memory.bytes);
  },
  "io_uring_recvmsg_validate": () => {
    const bytes = new Uint8Array(16 + 28 + 3); // header, room for a name, payload
    new Uint32Array(bytes.buffer, 0, 3)[2] = 3; // payloadlen
    const { payload } = readRecvmsgOut(bytes, { nameLength: 28 });
    assertEquals(payload.byteOffset, 16 + 28);
  },
  "io_uring_opcode_supported": (ring) => {
    assert(ring.probe().supports(IORING_OP_READ));
  },
  "malloc": () => {
    using memory = new Memory(10);
    assertEquals(memory.bytes.length, 10);
  },
  "an event loop": async () => {
    await using uring = new Uring();
    assertEquals(await uring.submit(nop()), 0);
  },
};

Deno.test("README: what is beside liburing's names does what they do", async (context) => {
  const [, , ...rows] = liburing().keys();
  assertEquals(
    rows.map((row) => Object.keys(DONE).find((word) => row.includes(word))),
    Object.keys(DONE),
  );
  for (const [name, done] of Object.entries(DONE)) {
    await context.step(name, async () => {
      using memory = new Memory(64);
      using ring = new Ring(8);
      await done(ring, memory);
    });
  }
});
