/**
 * Disks that fail: an ext4 file system on a device of device-mapper, of which any sectors can be
 * made to answer EIO.
 *
 * @module
 */

import { basename } from "node:path";
import { O_RDONLY } from "../../ffi/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { drop } from "../support/disk.ts";
import { open, TemporaryDirectory } from "../support/files.ts";
import { canMount } from "../support/utilities.ts";

/** What device-mapper counts in, in bytes. */
const SECTOR = 512;
/** What the file system counts in, in bytes: a page. */
export const BLOCK = 4096;
/** How many sectors a disk has. */
const SECTORS = 64 * 2 ** 20 / SECTOR;
/** How long to wait for who has a file open, and how long at a time, in milliseconds. */
const PATIENCE = 10_000;
const PAUSE = 50;

/** Sectors, from the first to the one behind the last. */
type Range = readonly [first: number, end: number];

/** Runs a command; gives what it prints. */
function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, {
    args,
    env: { LC_ALL: "C" },
  }).outputSync();
  const text = new TextDecoder();
  if (success) return text.decode(stdout).trim();
  throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr)}`);
}

/** Whether a command is there, and succeeds. */
function runs(command: string, ...args: string[]): boolean {
  try {
    run(command, ...args);
    return true;
  } catch {
    return false;
  }
}

/** Whether all is there that a disk needs. No device is made to find out. */
function probe(): boolean {
  if (!canMount) return false;
  // Fails where they are built in, which tells nothing yet.
  runs("modprobe", "-qa", "loop", "dm-mod");
  // Asked of a kernel without it, dmsetup would leave a folder in /dev behind.
  const devices = Deno.readTextFileSync("/proc/misc");
  return devices.includes("device-mapper") && runs("dmsetup", "targets") &&
    runs("losetup", "--find") && runs("mkfs.ext4", "-V") &&
    runs("filefrag", "-V") && runs("dumpe2fs", "-V");
}

/** Whether this machine can have such disks: root, with device-mapper, loop devices and the tools. */
const canFail = probe();

/** A disk that works until something of it is broken. It is gone at the end of the scope. */
export class FaultyDisk implements Disposable {
  /** Where its files are. */
  readonly path: string;
  readonly #name: string;
  readonly #loop: string;
  readonly #device: string;
  readonly #stack = new DisposableStack();
  #broken: readonly Range[] = [];

  /** Makes one, empty. */
  constructor() {
    using making = new DisposableStack();
    const directory = making.use(new TemporaryDirectory());
    // As unique as that.
    this.#name = basename(directory.path);
    const image = directory.file("image");
    Deno.truncateSync(image, SECTORS * SECTOR);
    this.#loop = run("losetup", "--find", "--show", image);
    making.defer(() => run("losetup", "--detach", this.#loop));
    run("dmsetup", "create", this.#name, "--table", this.#table());
    // Whatever is still open, it is removed: at once, or when that is closed.
    making.defer(() => run("dmsetup", "remove", "--deferred", this.#name));
    const columns = ["-c", "--noheadings", "-o", "blkdevname"];
    this.#device = `/dev/${run("dmsetup", "info", ...columns, this.#name)}`;
    // Nothing is to be written behind a test's back.
    const eager = "lazy_itable_init=0,lazy_journal_init=0";
    const format = ["-q", "-m", "0", "-b", `${BLOCK}`, "-E", eager];
    run("mkfs.ext4", ...format, this.#device);
    this.path = directory.join("disk");
    Deno.mkdirSync(this.path);
    this.#mount();
    making.defer(() => this.#leave());
    Deno.removeSync(this.join("lost+found"));
    this.#stack = making.move();
  }

  /** The path of a name on it. */
  join(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Makes a file on it, and returns its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = this.join(name);
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  }

  /** The names in its top folder. */
  names(): string[] {
    return Deno.readDirSync(this.path).map(({ name }) => name).toArray().sort();
  }

  /**
   * A block of a file, or of a folder, cannot be read or written any more, as often as this is called
   * another one; what is cached of a file is forgotten.
   *
   * @param offset a byte of the block.
   */
  breakBlock(path: string, offset = 0): void {
    const at = Math.floor(offset / BLOCK) * BLOCK / SECTOR;
    const found = extents(path).find(({ first, end }) =>
      first <= at && at < end
    );
    if (found === undefined) throw new Error(`${path}: no block at ${offset}`);
    this.#flush();
    const sector = found.physical + at - found.first;
    this.#break([...this.#broken, [sector, sector + BLOCK / SECTOR]]);
    if (Deno.statSync(path).isDirectory) this.remount();
    else forget(path);
  }

  /** Whatever is written to a new file, or added to one, cannot be. The rest of the disk works. */
  breakFreeSpace(): void {
    this.#flush();
    this.#break(this.#free());
  }

  /** Nothing can be read or written any more. */
  breakAll(): void {
    this.#flush();
    this.#break([[0, SECTORS]]);
  }

  /** All works again. What the kernel gave up, such as the file system, needs {@linkcode remount}. */
  repair(): void {
    this.#break([]);
  }

  /** Mounts it again, with nothing cached. Fails if anything on it is open. */
  remount(): void {
    this.#unmount();
    this.#mount();
  }

  #mount(): void {
    run("mount", "-t", "ext4", this.#device, this.path);
  }

  /** The kernel takes down the ring of a process that has ended when it likes, and then its files. */
  #unmount(): void {
    const end = performance.now() + PATIENCE;
    while (performance.now() < end) {
      if (runs("umount", this.path)) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
    run("umount", this.path);
  }

  /** Whoever left something open is told of it, and nothing stays behind even so. */
  #leave(): void {
    try {
      this.#unmount();
    } catch (error) {
      run("umount", "--lazy", this.path);
      throw error;
    }
  }

  /** What was written until now goes to the disk as it is. */
  #flush(): void {
    run("sync", "--file-system", this.path);
  }

  #break(ranges: readonly Range[]): void {
    this.#broken = ranges.toSorted(([a], [b]) => a - b);
    run("dmsetup", "reload", this.#name, "--table", this.#table());
    // A file system that has lost its disk could not be brought to a halt.
    run("dmsetup", "suspend", "--nolockfs", this.#name);
    run("dmsetup", "resume", this.#name);
  }

  #table(): string {
    const lines: string[] = [];
    const add = (first: number, end: number, target: string) => {
      if (end > first) lines.push(`${first} ${end - first} ${target}`);
    };
    let at = 0;
    for (const [first, end] of this.#broken) {
      add(at, first, `linear ${this.#loop} ${at}`);
      add(first, end, "error");
      at = end;
    }
    add(at, SECTORS, `linear ${this.#loop} ${at}`);
    return lines.join("\n");
  }

  /** What no file has, as the file system tells. */
  #free(): Range[] {
    const told = run("dumpe2fs", this.#device);
    const lists = told.matchAll(/^ {2}Free blocks: (.+)$/gm);
    const each = BLOCK / SECTOR;
    return lists.toArray().flatMap(([, list = ""]) =>
      list.split(", ").map((item): Range => {
        const [first = 0, last = first] = item.split("-").map(Number);
        return [first * each, (last + 1) * each];
      })
    );
  }

  /** Unmounts and removes it. */
  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}

/** Registers a test that has such a disk, and is skipped where there can be none. */
export function onFaultyDisk(
  name: string,
  fn: (disk: FaultyDisk) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !canFail,
    fn: async () => {
      using disk = new FaultyDisk();
      await fn(disk);
    },
  });
}

/** A part of a file that is in one piece, in sectors: from `first` to before `end`. */
interface Extent {
  first: number;
  end: number;
  /** Where that begins on the disk. */
  physical: number;
}

function extents(path: string): Extent[] {
  // A row: `   0:        0..      15:     264200..    264215:     16:             last,eof`
  const row = /^ *\d+: +(\d+)\.\. *(\d+): +(\d+)\.\./gm;
  const told = run("filefrag", "-s", "-v", `-b${SECTOR}`, path);
  return told.matchAll(row).toArray().map((cells) => {
    const [, first = 0, last = 0, physical = 0] = cells.map(Number);
    return { first, end: last + 1, physical };
  });
}

/** Empties the page cache of a file. */
export function forget(path: string): void {
  using ring = new Ring(4);
  using file = open(ring, path, O_RDONLY);
  drop(ring, file.fd);
}
