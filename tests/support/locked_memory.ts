/** Programs that may lock little memory. */

/** Root is exempt from the limit by CAP_IPC_LOCK. */
const EXEMPT = Deno.uid() === 0;
const DROPPING = [
  "setpriv",
  "--bounding-set=-ipc_lock",
  "--inh-caps=-ipc_lock",
];

/** Whether this machine can run one. */
export const canLimitLockedMemory: boolean = !EXEMPT || canDrop();

function canDrop(): boolean {
  const [program = "", ...args] = [...DROPPING, "true"];
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What stands in a shell before the command that may lock so many KiB. */
export function lockingAtMost(kibibytes: number): string {
  const exec = EXEMPT ? ["exec", ...DROPPING] : ["exec"];
  return `ulimit -l ${kibibytes}; ${exec.join(" ")}`;
}

/** Runs a script that may lock so many KiB. */
export function runLocking(
  kibibytes: number,
  script: string,
): Promise<Deno.CommandOutput> {
  return new Deno.Command("/bin/sh", {
    args: [
      "-c",
      `${lockingAtMost(kibibytes)} "$0" "$@"`,
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      "--no-check",
      `data:application/typescript,${encodeURIComponent(script)}`,
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
}
