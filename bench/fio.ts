import { IORING_SETUP_SQPOLL } from "../ffi/mod.ts";
import type { Case } from "./cases.ts";
import { pin } from "./pin.ts";

/** Whether fio is installed. */
export async function hasFio(): Promise<boolean> {
  try {
    const command = new Deno.Command("fio", {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    });
    return (await command.output()).success;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return false;
  }
}

/** One run of fio's io_uring engine on the file of a read case; operations a second. */
export async function runFio(
  measured: Case,
  path: string,
  seconds: number,
  cpu: number | null,
  more: readonly string[] = [],
): Promise<number> {
  const args = [...fioArguments(measured, path, seconds), ...more];
  const command = pin({ program: "fio", args }, measured, cpu);
  const { success, stdout, stderr } = await new Deno.Command(command.program, {
    args: [...command.args],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) {
    throw new Error(`fio: ${new TextDecoder().decode(stderr) || text}`);
  }
  // fio may print a note before its JSON.
  const report: { jobs: { read: { iops: number } }[] } = JSON.parse(
    text.slice(text.indexOf("{")),
  );
  const job = report.jobs[0];
  if (job === undefined) throw new Error("fio: its report holds no job");
  return job.read.iops;
}

function fioArguments(
  measured: Case,
  path: string,
  seconds: number,
): string[] {
  // Promises settle one by one, and each is followed by the next read: so fio waits for no batch
  // either, which is also faster.
  const least = measured.layer === "promises" ? 1 : measured.batch;
  const args = [
    "--name=bench",
    `--filename=${path}`,
    "--readonly",
    "--rw=randread",
    "--norandommap",
    "--bs=4k",
    "--ioengine=io_uring",
    `--direct=${measured.file === "direct" ? 1 : 0}`,
    // By default fio drops the file from the page cache first.
    "--invalidate=0",
    `--iodepth=${measured.batch}`,
    `--iodepth_batch_submit=${measured.batch}`,
    `--iodepth_batch_complete_min=${least}`,
    `--iodepth_batch_complete_max=${measured.batch}`,
    "--time_based",
    `--runtime=${Math.round(seconds * 1000)}ms`,
    "--thread",
    // No clock read for each operation: the contestants have none either.
    "--gtod_reduce=1",
    "--output-format=json",
  ];
  if (measured.operation === "read-fixed") {
    args.push("--fixedbufs", "--registerfiles");
  }
  if (measured.setupFlags & IORING_SETUP_SQPOLL) args.push("--sqthread_poll");
  return args;
}
