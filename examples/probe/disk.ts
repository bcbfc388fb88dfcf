/**
 * Whether the storage below a path polls: whether the kernel can ask the device for
 * completions (`IORING_SETUP_IOPOLL`), instead of waiting for its interrupts.
 *
 * @module
 */

import {
  IORING_SETUP_HYBRID_IOPOLL,
  IORING_SETUP_IOPOLL,
} from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import {
  O_CLOEXEC,
  O_DIRECT,
  O_RDONLY,
  STATX_BASIC_STATS,
  STATX_MNT_ID,
} from "../../ffi/linux.ts";
import { Memory } from "../../ffi/memory.ts";
import { close, openat } from "../../ops/open.ts";
import { statx } from "../../ops/path.ts";
import { run } from "../../ops/run.ts";
import { read } from "../../ops/rw.ts";
import { Ring } from "../../ring/mod.ts";
import { tryNumber, tryRead } from "./machine.ts";
import type { Disk } from "./report.ts";

/** A multiple of what every device wants an O_DIRECT read to be aligned to. */
const BLOCK = 4096;

/** What of the storage does not need a read to be known. */
type Place = Pick<Disk, "fileSystem" | "device" | "queuePolls" | "pollQueues">;

/** A line of /proc/self/mountinfo: the mount's root, its file system, what is mounted. */
interface Mount {
  readonly device: string;
  readonly fileSystem: string;
  readonly source: string;
}

function mountOf(id: bigint): Mount | undefined {
  const lines = tryRead("/proc/self/mountinfo")?.split("\n") ?? [];
  const fields = lines.find((line) => line.startsWith(`${id} `))?.split(" ");
  if (fields === undefined) return undefined;
  // Optional fields stand before the dash.
  const dash = fields.indexOf("-");
  const [device = "", fileSystem = "", source = ""] = [
    fields[2],
    fields[dash + 1],
    fields[dash + 2],
  ];
  return { device, fileSystem, source };
}

/** The block device with a number `"259:0"`, or the one that it is a partition of. */
function deviceOf(number: string): string | null {
  const link = `/sys/dev/block/${number}`;
  if (tryRead(`${link}/dev`) === undefined) return null;
  const path = Deno.realPathSync(link);
  const partition = tryRead(`${path}/partition`) !== undefined;
  return path.split("/").at(partition ? -2 : -1) ?? null;
}

/** The parameter of a driver's module that says how many of its queues poll. */
function pollQueues(device: string): number | null {
  const drivers = { nvme: "nvme", vd: "virtio_blk", nullb: "null_blk" };
  for (const [prefix, driver] of Object.entries(drivers)) {
    if (device.startsWith(prefix)) {
      return tryNumber(`/sys/module/${driver}/parameters/poll_queues`);
    }
  }
  return null;
}

function placeOf(ring: Ring, path: string): Place {
  const mask = STATX_BASIC_STATS | STATX_MNT_ID;
  const stat = run(ring, statx(path, { mask }));
  const mount = stat.isBlockDevice ? undefined : mountOf(stat.mountId);
  const source = mount?.source ?? "";
  let number = stat.isBlockDevice
    ? `${stat.rdevMajor}:${stat.rdevMinor}`
    : `${stat.devMajor}:${stat.devMinor}`;
  // btrfs numbers its subvolumes; what it is mounted from is the device.
  if (number.startsWith("0:") && source.startsWith("/dev/")) {
    const { rdevMajor, rdevMinor } = run(ring, statx(source));
    number = `${rdevMajor}:${rdevMinor}`;
  }
  const device = deviceOf(number);
  const polls = device === null
    ? null
    : tryNumber(`/sys/block/${device}/queue/io_poll`);
  return {
    fileSystem: stat.isBlockDevice
      ? "block device"
      : mount?.fileSystem ?? "unknown",
    device,
    queuePolls: polls === null ? null : polls !== 0,
    pollQueues: device === null ? null : pollQueues(device),
  };
}

/** Reads one block; an errno's name if the kernel refuses, else an empty string. */
function tryReading(fd: number, flags: number): string {
  try {
    using ring = new Ring({ entries: 2, flags });
    using memory = new Memory(BLOCK);
    run(ring, read(fd, memory.bytes, { offset: 0 }));
    return "";
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
}

type Answer = Pick<Disk, "direct" | "polled" | "hybrid" | "reason">;

const refusal = (reason: string): Answer => ({
  direct: false,
  polled: false,
  hybrid: null,
  reason,
});

const NO_DIRECT = "the file system has no O_DIRECT (EINVAL)";

const NO_POLL: Readonly<Record<string, string>> = {
  EOPNOTSUPP: "the device, or its file system, cannot be asked (EOPNOTSUPP)",
};

/** Reads from a file in each way. `hybrid` tells whether this kernel has that. */
function ask(ring: Ring, path: string, hybrid: boolean): Answer {
  const fd = tryOpening(ring, path);
  if (typeof fd === "string") {
    return refusal(
      fd === "EINVAL" ? NO_DIRECT : `it cannot be opened (${fd})`,
    );
  }
  try {
    const direct = tryReading(fd, 0);
    if (direct === "EINVAL") return refusal(NO_DIRECT);
    if (direct !== "") return refusal(`it cannot be read (${direct})`);
    const polled = tryReading(fd, IORING_SETUP_IOPOLL);
    const both = IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL;
    return {
      direct: true,
      polled: polled === "",
      hybrid: hybrid ? tryReading(fd, both) === "" : null,
      reason: polled === "" ? null : NO_POLL[polled] ?? polled,
    };
  } finally {
    run(ring, close(fd));
  }
}

/** The errno's name of an error, of the kernel's or of Deno's; any other error is thrown. */
function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") throw error;
  return code;
}

/** A descriptor, or an errno's name if the file cannot be opened for O_DIRECT. */
function tryOpening(ring: Ring, path: string): number | string {
  try {
    return run(ring, openat(path, O_RDONLY | O_DIRECT | O_CLOEXEC));
  } catch (error) {
    return codeOf(error);
  }
}

/** Makes a file of a block in a directory, does something with it, and removes it. */
function withFile<T>(directory: string, action: (path: string) => T): T {
  const path = Deno.makeTempFileSync({ dir: directory, prefix: ".probe-" });
  try {
    Deno.writeFileSync(path, new Uint8Array(BLOCK));
    return action(path);
  } finally {
    Deno.removeSync(path);
  }
}

/**
 * Looks at the storage below a file, a block device or a directory; in a directory it makes a
 * small file for that.
 *
 * @param hybrid whether this kernel has `IORING_SETUP_HYBRID_IOPOLL`.
 * @throws {SystemError} if nothing is there.
 */
export function disk(path: string, hybrid: boolean): Disk {
  using ring = new Ring(2);
  const { isDirectory, isFile, isBlockDevice } = run(ring, statx(path));
  const place = placeOf(ring, path);
  if (isDirectory) {
    try {
      const answer = withFile(path, (file) => ask(ring, file, hybrid));
      return { path, ...place, ...answer };
    } catch (error) {
      const reason = `no file can be made (${codeOf(error)})`;
      return { path, ...place, ...refusal(reason) };
    }
  }
  if (isFile || isBlockDevice) {
    return { path, ...place, ...ask(ring, path, hybrid) };
  }
  return { path, ...place, ...refusal("it is no file, directory or disk") };
}
