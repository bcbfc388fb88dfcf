/**
 * A report as a person reads it.
 *
 * @module
 */

import type {
  Ability,
  Disk,
  Limit,
  Limits,
  Measured,
  Report,
  Times,
} from "./report.ts";

const WIDTH = 80;
const INDENT = 12;

/** Words in lines of 80 columns, all but the first line indented. */
function wrap(words: readonly string[], indent = INDENT): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

function row(label: string, text: string): string {
  const start = `  ${label}`.padEnd(INDENT);
  return `${start}${wrap(text.split(" "))}`;
}

function wordFor({ name, refused }: Ability): string {
  return refused === undefined ? name : `${name}(${refused})`;
}

/** Names by the kernel that brought them; those that are missing in a line of their own. */
function table(title: string, abilities: readonly Ability[]): string[] {
  const here = abilities.filter((ability) => ability.here).length;
  const lines = [`${title}: ${here} of ${abilities.length}`];
  for (const [since, group] of Map.groupBy(abilities, ({ since }) => since)) {
    const [present, missing] = [true, false].map((wanted) =>
      group.filter((ability) => ability.here === wanted).map(wordFor).join(" ")
    );
    if (present) lines.push(row(since, present));
    if (missing) lines.push(row(since, `missing: ${missing}`));
  }
  return lines;
}

function bytes(value: number | null): string {
  if (value === null) return "unlimited";
  return value >= 2 ** 20
    ? `${Math.floor(value / 2 ** 20)} MiB`
    : `${Math.floor(value / 1024)} KiB`;
}

function limitText(
  { soft, hard }: Limit,
  show: (value: number | null) => string,
) {
  return soft === hard ? show(soft) : `${show(soft)}, at most ${show(hard)}`;
}

const meanings = ["everyone may", "members of a group may", "nobody may"];

function limitLines(limits: Limits): string[] {
  const { memlock, memlockLifted, nofile, workers, disabled, group } = limits;
  const lifted = memlockLifted === true ? ", lifted by CAP_IPC_LOCK" : "";
  const count = (value: number | null) => `${value ?? "unlimited"}`;
  const access = disabled === null
    ? "no such setting before Linux 6.6"
    : `${disabled} (${
      meanings[disabled] ?? "unknown"
    }), io_uring_group ${group}`;
  return [
    "limits",
    row("memlock", limitText(memlock, bytes) + lifted),
    row("nofile", limitText(nofile, count)),
    row(
      "workers",
      workers === null
        ? "as many as RLIMIT_NPROC; settable from Linux 5.15 on"
        : `${workers.bounded} bounded, ${workers.unbounded} unbounded`,
    ),
    row("disabled", access),
    row("seccomp", limits.seccomp ?? "unknown"),
  ];
}

function diskLines(disk: Disk): string[] {
  const { path, fileSystem, device, queuePolls, pollQueues, reason } = disk;
  const on = device === null ? "" : ` on ${device}`;
  const ways = disk.hybrid === true ? "yes, hybrid too" : "yes";
  const answer = !disk.polled
    ? `no: ${reason}`
    : queuePolls === false
    ? "taken, but the device has no polled queue: it interrupts"
    : ways;
  const queues = pollQueues === null ? "" : `, ${pollQueues} polled queues`;
  return [
    `disk`,
    row("at", `${path}: ${fileSystem}${on}${queues}`),
    row("IOPOLL", answer),
  ];
}

function measuredLines(measured: Measured): string[] {
  const { nopsSingle, nopsBatched, wakeThread, wakePromise } = measured;
  const millions = (rate: number) => `${(rate / 1e6).toFixed(2)} M/s`;
  const late = ({ p50, p99 }: Times) => `${p50} us (p99 ${p99})`;
  return [
    "measured",
    row(
      "NOPs",
      `${millions(nopsSingle)} singly, ${millions(nopsBatched)} by 32`,
    ),
    row(
      "wake-up",
      `${late(wakeThread)} in io_uring_enter, ${
        late(wakePromise)
      } in the event loop`,
    ),
  ];
}

/** The whole report, in lines. */
export function format(report: Report): string {
  const { machine, backend, backendVersion } = report;
  const version = backendVersion === null ? "" : ` ${backendVersion}`;
  const unknown = report.unknownOpcodes > 0
    ? [row("newer", `${report.unknownOpcodes} that uring does not know`)]
    : [];
  const advice = report.advice.map((text) => `- ${wrap(text.split(" "), 2)}`);
  return [
    `Linux ${machine.kernel} ${machine.architecture}, ${machine.cpus} CPUs; ` +
    `Deno ${machine.deno}; backend ${backend}${version}`,
    "",
    ...limitLines(report.limits),
    "",
    ...table("features", report.features),
    "",
    ...table("setup flags", report.setupFlags),
    "",
    ...table("opcodes", report.opcodes),
    ...unknown,
    "",
    ...diskLines(report.disk),
    "",
    ...measuredLines(report.measured),
    ...(advice.length > 0 ? ["", "to change", ...advice] : []),
  ].join("\n");
}
