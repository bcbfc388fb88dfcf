/** examples/probe.ts: what it says of this machine, and where io_uring is forbidden. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import { probe, type Report, survey } from "../../examples/probe.ts";
import { advise } from "../../examples/probe/advice.ts";
import { format } from "../../examples/probe/print.ts";
import { queryOpcodes, Ring } from "../../ring/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { forbidden, hasCompiler } from "../support/forbid.ts";
import { canMake } from "../support/setup.ts";
import { kernelSince } from "../support/sockets.ts";

const program = fileURLToPath(
  new URL("../../examples/probe.ts", import.meta.url),
);

async function run(
  args: string[],
  flags: string[] = ["-A"],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "--no-prompt", ...flags, program]
      .concat(args),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** The flags that a kernel has, of those in a list. */
function bits(abilities: Report["features"]): number {
  return abilities.filter(({ here }) => here)
    .reduce((sum, { value }) => (sum | value) >>> 0, 0);
}

let surveyed: Promise<Report> | undefined;

/** One survey for all tests: it takes a second. */
function report(): Promise<Report> {
  return surveyed ??= survey(Deno.makeTempDirSync({ prefix: "uring-probe-" }))
    .then((found) => {
      Deno.removeSync(found.disk.path);
      return found;
    });
}

Deno.test("probe: features are those of a ring", async () => {
  using ring = new Ring(2);
  const { features, backend, backendVersion } = await report();
  assertEquals(
    bits(features),
    ring.features & bits(
      features.map((feature) => ({ ...feature, here: true })),
    ),
  );
  assertEquals([backend, backendVersion], [ring.backend, ring.backendVersion]);
});

Deno.test("probe: setup flags are those that rings can be made with", async () => {
  const { setupFlags } = await report();
  const has = (wanted: string) =>
    setupFlags.find(({ name }) => name === wanted)?.here;
  for (const name of ["SUBMIT_ALL", "SINGLE_ISSUER", "SQE128", "CQE_MIXED"]) {
    const value = setupFlags.find((flag) => flag.name === name)?.value ?? 0;
    assertEquals(has(name), canMake(value), name);
  }
  assertEquals(has("R_DISABLED"), true);
  assertEquals(has("NO_MMAP"), kernelSince(6, 5));
  assertEquals(has("REGISTERED_FD_ONLY"), kernelSince(6, 5));
});

Deno.test({
  name: "probe: setup flags are those that the kernel tells of",
  ignore: !kernelSince(6, 18),
  async fn() {
    const { setupFlags } = await report();
    const known = setupFlags.reduce((sum, { value }) => sum | value, 0);
    assertEquals(bits(setupFlags), queryOpcodes().setupFlags & known);
  },
});

Deno.test("probe: opcodes are those of the kernel's probe", async () => {
  const { opcodes, unknownOpcodes } = await report();
  using ring = new Ring(2);
  const kernel = ring.probe();
  for (const { name, value, here } of opcodes) {
    assertEquals(here, kernel.supports(value), name);
  }
  const known = Math.min(kernel.lastOpcode + 1, opcodes.length);
  assertEquals(unknownOpcodes, kernel.lastOpcode + 1 - known);
});

Deno.test("probe: limits are those of a shell", async () => {
  const { limits, machine } = await report();
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "ulimit -n; ulimit -H -n; uname -r"],
  }).output();
  const [soft, hard, release] = new TextDecoder().decode(stdout).split("\n");
  const shown = (value: number | null) => `${value ?? "unlimited"}`;
  assertEquals([shown(limits.nofile.soft), shown(limits.nofile.hard)], [
    soft,
    hard,
  ]);
  assertEquals(machine.kernel, release);
  // Kernels before 5.15 do not tell, but for those that it was ported back to.
  if (kernelSince(5, 15)) assertGreater(limits.workers?.bounded ?? 0, 0);
  assertEquals(limits.disabled === null, !kernelSince(6, 6));
});

Deno.test("probe: rates and latencies are measured", async () => {
  const { nopsSingle, nopsBatched, wakeThread, wakePromise } = (await report())
    .measured;
  assertGreater(nopsSingle, 1000);
  assertGreater(nopsBatched, nopsSingle);
  for (const { p50, p99 } of [wakeThread, wakePromise]) {
    assert(p50 > 0 && p50 <= p99, `${p50} ${p99}`);
  }
});

Deno.test("probe: prints every table in 80 columns", async () => {
  const found = await report();
  const text = format(found);
  for (const { name } of [...found.features, ...found.opcodes]) {
    assertMatch(text, new RegExp(`\\s${name}\\b`));
  }
  const title = `Linux ${found.machine.kernel}`;
  assertStringIncludes(text, title);
  const long = text.split("\n").filter((line) =>
    line.length > 80 && !line.startsWith(title)
  );
  assertEquals(long, []);
});

Deno.test("probe: --json is the report, and no file is left behind", async () => {
  using directory = new TemporaryDirectory();
  const { code, stdout } = await run(["--json", directory.path]);
  assertEquals(code, 0);
  const found: Report = JSON.parse(stdout);
  assertEquals(found.disk.path, directory.path);
  assertEquals(found.features, (await report()).features);
  assertEquals([...Deno.readDirSync(directory.path)], []);
});

Deno.test("probe: a file system without O_DIRECT cannot poll", async () => {
  const { disk } = await survey("/proc/version");
  assertEquals([disk.fileSystem, disk.device], ["proc", null]);
  assertEquals([disk.direct, disk.polled, disk.hybrid], [false, false, null]);
  assertStringIncludes(disk.reason ?? "", "O_DIRECT");
});

Deno.test("probe: what it says cannot be written", async () => {
  for (const option of ["--help", "--json"]) {
    const script = `${Deno.execPath()} run -A --no-check --quiet ${program} ` +
      `${option} /proc/version > /dev/full`;
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", script],
    }).output();
    assertEquals(code, 1);
    const said = new TextDecoder().decode(stderr);
    assertEquals(said, "probe: write error: No space left on device\n");
  }
});

/** The report with some of it changed, as another machine's. */
async function changed(
  change: (found: Report) => Partial<Report>,
): Promise<string> {
  const found = await report();
  return advise({ ...found, ...change(found) }).join("\n");
}

Deno.test("probe: advice names what an old kernel lacks", async () => {
  const old = await changed((found) => {
    const before = <T extends { since: string }>(list: readonly T[]) =>
      list.map((one) => ({
        ...one,
        here: Number(one.since.split(".")[0]) < 6,
      }));
    return {
      machine: { ...found.machine, kernel: "5.19.0" },
      features: before(found.features),
      setupFlags: before(found.setupFlags),
      opcodes: before(found.opcodes),
    };
  });
  assertMatch(old, /A kernel from 6\.13 on/);
  assertStringIncludes(old, "DEFER_TASKRUN, 6.1");
  assert(!old.includes("SQPOLL_NONFIXED"), old);
});

Deno.test("probe: advice tells what was hidden from what is too new", async () => {
  const hidden = await changed(({ machine, opcodes }) => ({
    machine: { ...machine, kernel: "6.10.1" },
    opcodes: opcodes.map((one) => ({
      ...one,
      here: one.name !== "uring_cmd" && one.name !== "bind",
    })),
  }));
  const line = hidden.split("\n").find((text) => text.includes("uring_cmd"));
  assertStringIncludes(line ?? "", "Linux 6.10 is new enough");
  assert(!line?.includes("bind"), line);
});

Deno.test("probe: advice on limits and disks", async () => {
  const low = await changed(({ limits, disk }) => ({
    limits: {
      ...limits,
      disabled: 1,
      memlock: { soft: 65536, hard: 65536 },
      memlockLifted: false,
      nofile: { soft: 1024, hard: 4096 },
    },
    disk: {
      ...disk,
      device: "nvme0n1",
      direct: true,
      polled: false,
      queuePolls: false,
    },
  }));
  for (
    const said of [
      "sysctl kernel.io_uring_disabled=0",
      "ulimit -l",
      "ulimit -n",
      "nvme.poll_queues=",
    ]
  ) assertStringIncludes(low, said);
});

for (
  const [errno, code, said] of [
    [1, "EPERM", /forbidden|kernel\.io_uring_disabled/],
    [38, "ENOSYS", /no io_uring/],
  ] as const
) {
  for (const args of [[], ["--json"]]) {
    Deno.test({
      name: `probe ${args} where io_uring is forbidden by ${code}`,
      ignore: !hasCompiler,
      async fn() {
        const deno = ["run", "-A", "--no-check", "--quiet", program, ...args];
        const { code: status, stdout, stderr } = await forbidden(errno, deno);
        assertEquals(status, 1);
        assertMatch(stderr, said);
        assertStringIncludes(stderr, `probe: io_uring_setup: `);
        assertStringIncludes(stderr, "A seccomp filter is on this process.");
        assertEquals(stderr.trim().split("\n").length, 1, stderr);
        const expected = args.length === 0 ? "" : stderr.slice(7).trim();
        const told = stdout === "" ? "" : JSON.parse(stdout).error;
        assertEquals(told, expected);
      },
    });
  }
}

Deno.test("probe: what is wrong is said in a line, without a stack", async () => {
  const missing = await run(["/nope"]);
  assertEquals([missing.code, missing.stdout], [1, ""]);
  assertMatch(missing.stderr, /^probe: statx '\/nope': .*ENOENT\)\n$/);
  const denied = await run([], []);
  assertEquals([denied.code, denied.stdout], [1, ""]);
  assertMatch(denied.stderr, /^probe: .*--allow-ffi.*\n$/);
  const unknown = await run(["--frob"]);
  assertEquals([unknown.code, unknown.stdout], [2, ""]);
  assertStringIncludes(unknown.stderr, "Usage: probe");
  const two = await run(["a", "b"]);
  assertEquals(two.code, 2);
});

Deno.test("probe --help: says how it is used", async () => {
  assertEquals(await probe(["--help"]), 0);
});
