/**
 * What to change where something is missing.
 *
 * @module
 */

import type { Disk, Limits, Report } from "./report.ts";

/** Below this a program that serves connections or keeps buffers registered runs into it. */
const FEW_FILES = 4096;
const LITTLE_MEMORY = 64 * 1024 * 1024;

/** What a kernel that lacks it makes a program do without, oldest first. */
const losses:
  readonly (readonly [since: string, name: string, loss: string])[] = [
    [
      "5.11",
      "SQPOLL_NONFIXED",
      "SQPOLL takes registered files only, and needs CAP_SYS_ADMIN",
    ],
    [
      "5.11",
      "EXT_ARG",
      "a wait with a time limit takes a submission of its own",
    ],
    [
      "5.12",
      "NATIVE_WORKERS",
      "workers are kernel threads that no limit of the process counts",
    ],
    ["5.17", "CQE_SKIP", "each op of a chain has its completion"],
    ["5.19", "COOP_TASKRUN", "completions interrupt the program"],
    [
      "6.1",
      "DEFER_TASKRUN",
      "Uring's quickest way to run completions is missing",
    ],
    ["6.6", "NO_SQARRAY", "each submission goes through an array of indices"],
    ["6.10", "RECVSEND_BUNDLE", "a receive or send takes one buffer at a time"],
    ["6.13", "HYBRID_IOPOLL", "IOPOLL burns the CPU while the device works"],
  ];

type Abilities = Pick<Report, "features" | "setupFlags" | "opcodes">;

/** Whether one release is older than another, both `"6.12"`. */
function older(one: string, other: string): boolean {
  const [[a = 0, b = 0] = [], [x = 0, y = 0] = []] = [one, other]
    .map((release) => release.split(".").map((part) => Number.parseInt(part)));
  return a < x || (a === x && b < y);
}

function ofKernel(report: Abilities, kernel: string): string[] {
  const everything = [
    ...report.features,
    ...report.setupFlags,
    ...report.opcodes,
  ];
  const missing = everything.filter(({ here }) => !here);
  const names = new Set(missing.map(({ name }) => name));
  const advice: string[] = [];
  const lost = losses.filter(([, name]) => names.has(name));
  const newest = lost.at(-1)?.[0];
  if (newest !== undefined) {
    const parts = lost.map(([since, name, loss]) =>
      `${loss} (${name}, ${since})`
    );
    advice.push(`A kernel from ${newest} on: here ${parts.join("; ")}.`);
  }
  const hidden = missing.filter(({ since }) => !older(kernel, since));
  if (hidden.length > 0) {
    advice.push(
      `${
        hidden.map(({ name }) => name).join(", ")
      }: Linux ${kernel} is new enough, so they ` +
        "were left out when it was built, or a security policy hides them.",
    );
  }
  const refused = everything.filter((ability) => ability.refused !== undefined);
  for (const { name, refused: code } of refused) {
    advice.push(
      code === "EPERM"
        ? `${name} is refused (EPERM): run as root, or with CAP_SYS_ADMIN or CAP_SYS_NICE.`
        : `${name} is refused (${code}): see io_uring_setup(2).`,
    );
  }
  return advice;
}

function ofLimits(
  { memlock, memlockLifted, nofile, disabled }: Limits,
): string[] {
  const advice: string[] = [];
  if (disabled !== null && disabled > 0) {
    advice.push(
      `kernel.io_uring_disabled is ${disabled}: other users of this machine may be refused ` +
        "(sysctl kernel.io_uring_disabled=0).",
    );
  }
  const low = memlock.soft !== null && memlock.soft < LITTLE_MEMORY;
  if (low && memlockLifted !== true) {
    advice.push(
      "RLIMIT_MEMLOCK is low for registered buffers: ulimit -l, LimitMEMLOCK= in a systemd " +
        "unit, docker run --ulimit memlock=-1.",
    );
  }
  if (nofile.soft !== null && nofile.soft < FEW_FILES) {
    advice.push(
      "RLIMIT_NOFILE is low for many files or connections: ulimit -n, LimitNOFILE= in a " +
        "systemd unit, docker run --ulimit nofile=65536.",
    );
  }
  return advice;
}

function ofDisk(
  { path, device, direct, polled, queuePolls, reason }: Disk,
): string[] {
  if (polled && queuePolls !== false) return [];
  if (!direct) {
    return [
      `IOPOLL at ${path}: ${reason}. Name a file, or a disk, that O_DIRECT works on.`,
    ];
  }
  if (device?.startsWith("nvme")) {
    return [
      `${device} could poll: nvme.poll_queues=4 on the kernel's command line, or ` +
      "options nvme poll_queues=4 in /etc/modprobe.d, and a reboot.",
    ];
  }
  if (device?.startsWith("vd")) {
    return [
      `${device} could poll on Linux 6.0 or later with several queues: ` +
      "virtio_blk.poll_queues=1 on the kernel's command line, and a reboot.",
    ];
  }
  return [
    `IOPOLL at ${path}: ${
      reason ?? "the kernel waits for interrupts all the same"
    }. NVMe drives poll, with nvme.poll_queues=4 on the kernel's command line.`,
  ];
}

/** Everything that could be better, what matters most first. */
export function advise(report: Omit<Report, "advice">): string[] {
  const [release = ""] = /^\d+\.\d+/.exec(report.machine.kernel) ?? [];
  return [
    ...ofLimits(report.limits),
    ...ofKernel(report, release),
    ...ofDisk(report.disk),
  ];
}
