/** examples/cat.ts and examples/cp.ts beside coreutils', on files of which a block cannot be read. */

import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";
import { compare, type Outcome, shell } from "../support/utilities.ts";
import { damaged } from "./damage.ts";
import { type FaultyDisk, onFaultyDisk } from "./faulty_disk.ts";

/** Emulated processors take their time. */
const timeout = 300_000;

/** How large the files are, and a byte of the block that is bad. */
const DAMAGES = [[100, 0], [20_000, 9000], [300_000, 150_000], [
  2_500_000,
  1_700_000,
]] as const;

/** A file for each kind of damage. */
function damagedFiles(disk: FaultyDisk, folder = ""): string[] {
  return DAMAGES.map(([length, at]) =>
    damaged(disk, `${folder}${length}`, length, at).path
  );
}

onFaultyDisk(
  "cat: what can be read before a bad block comes out, and what comes after the file",
  async (disk) => {
    const good = disk.file("good", "good\n");
    const files = damagedFiles(disk);
    const operands = files.flatMap((path) => [good, path]).join(" ");
    const script = `f="${operands} - ${good}"; i=${files.at(-1)}; ` +
      "cat $f < $i > out; echo $?; " +
      "(cat $f < $i; echo $? > status) | md5sum; cat -nv $f < $i > nv";
    // The first time newer kernels read less, as a larger piece of the page cache fails then.
    await shell(`cat ${files.join(" ")} > /dev/null`, false, disk.path);
    const { stderr } = await compare({ script, timeout });
    const complaints = [...files, "-"]
      .map((name) => `cat: ${name}: Input/output error\n`).join("");
    assertEquals(stderr, complaints.repeat(3));
  },
);

/** Runs a script with ours and theirs, each in a folder of its own. */
async function both(
  folder: string,
  script: string,
): Promise<[ours: Outcome, theirs: Outcome]> {
  const run = (who: string) => {
    const cwd = `${folder}/${who}`;
    Deno.mkdirSync(cwd);
    return shell(script, who === "ours", cwd, { timeout });
  };
  return await Promise.all([run("ours"), run("theirs")]);
}

/** What is in the files of a folder. */
function contents(folder: string): [name: string, text: string][] {
  const names = Deno.readDirSync(folder).map(({ name }) => name);
  return names.toArray().sort().map((name) => {
    return [name, Deno.readTextFileSync(`${folder}/${name}`)];
  });
}

/** A file that is as it was. */
function old(name: string): [name: string, text: string] {
  return [name, "old\n"];
}

/** In which order things are copied, and complained about, is nobody's business. */
function sorted({ code, stdout, stderr }: Outcome): Outcome {
  return { code, stdout, stderr: stderr.split("\n").sort().join("\n") };
}

onFaultyDisk(
  "cp: says of a bad block what coreutils says, and leaves the old file, or none",
  async (disk) => {
    using elsewhere = new TemporaryDirectory();
    const files = damagedFiles(disk);
    const names = files.map((path) => path.slice(disk.path.length + 1));
    const olds = names.filter((_, i) => i % 2 === 0);
    const places = [
      [disk.path, "--", "--sparse=always"],
      [elsewhere.path, "-p", "--reflink=never"],
    ] as const;
    for (const [folder, ...options] of places) {
      const script =
        `mkdir d; for f in ${olds.join(" ")}; do echo old > d/$f; done; ` +
        `for o in ${options.join(" ")}; do cp $o ${files.join(" ")} d; ` +
        "echo $?; done";
      const [ours, theirs] = await both(folder, script);
      assertEquals(sorted(ours), sorted(theirs));
      assertEquals(ours.stdout, "1\n1\n");
      const lines = ours.stderr.match(/Input\/output error\n/g)?.length;
      assertEquals(lines, 2 * files.length);
      assertEquals(contents(`${folder}/ours/d`), olds.sort().map(old));
    }
  },
);

onFaultyDisk(
  "cp --direct: a bad block leaves the old file, or none",
  async (disk) => {
    const files = damagedFiles(disk);
    const cwd = disk.join("copies");
    Deno.mkdirSync(cwd);
    const script = `echo old > 20000; cp --direct ${files.join(" ")} .`;
    const outcome = await shell(script, true, cwd, { timeout });
    assertEquals(outcome.code, 1);
    const lines = outcome.stderr.match(/Input\/output error\n/g)?.length;
    assertEquals(lines, files.length);
    assertEquals(contents(cwd), [old("20000")]);
  },
);

onFaultyDisk(
  "cp -r: bad files and folders are told, the others are copied",
  async (disk) => {
    for (const name of ["t", "t/d", "t/bad"]) Deno.mkdirSync(disk.join(name));
    for (const name of ["t/d/a", "t/d/b", "t/bad/a", "t/c"]) {
      disk.file(name, name);
    }
    damagedFiles(disk, "t/d/");
    disk.breakBlock(disk.join("t/bad"));
    const source = disk.join("t");
    const [ours, theirs] = await both(disk.path, `cp -r ${source} copy`);
    assertEquals(sorted(ours), sorted(theirs));
    assertEquals(ours.code, 1);
    const copies = disk.join("ours/copy");
    assertEquals(contents(`${copies}/d`), [["a", "t/d/a"], ["b", "t/d/b"]]);
    assertEquals(contents(`${copies}/bad`), []);
    assertEquals(Deno.readTextFileSync(`${copies}/c`), "t/c");
  },
);
