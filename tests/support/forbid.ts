/** Runs Deno programs for which io_uring is forbidden. @module */

const SOURCE = `${import.meta.dirname}/../tools/nouring.c`;

/** The system calls that can be made to fail. */
export const SYSCALLS = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
} as const;

/** How a program is run. */
export interface ForbidOptions {
  /** The calls that fail; by default all three. */
  calls?: (keyof typeof SYSCALLS)[];
  /** More environment variables. */
  env?: Record<string, string>;
  /** Its working directory. */
  cwd?: string;
}

/** What a program printed, and how it ended. */
export interface Output {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

function compilerWorks(): boolean {
  try {
    const { success } = new Deno.Command("gcc", {
      args: ["-fsyntax-only", SOURCE],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether gcc and the kernel's headers are here; tests that need them use `ignore: !hasCompiler`. */
export const hasCompiler: boolean = compilerWorks();

let compiled: string | undefined;

/** The path of `nouring`, compiled on first use and removed when the process ends. */
function compile(): string {
  if (compiled) return compiled;
  const folder = Deno.makeTempDirSync({ prefix: "uring-nouring-" });
  globalThis.addEventListener(
    "unload",
    () => Deno.removeSync(folder, { recursive: true }),
  );
  const path = `${folder}/nouring`;
  const { success, stderr } = new Deno.Command("gcc", {
    args: ["-O2", "-Wall", "-Wextra", "-o", path, SOURCE],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return compiled = path;
}

/**
 * Runs deno with io_uring failing.
 *
 * @param errno what the calls fail with, such as 1 for EPERM
 * @param args the arguments of deno, such as `["run", "-A", "examples/cat.ts"]`
 * @param options which calls fail, and where the program runs
 * @returns what it printed, and how it ended
 */
export async function forbidden(
  errno: number,
  args: string[],
  options: ForbidOptions = {},
): Promise<Output> {
  const calls = options.calls ?? [];
  const child = new Deno.Command(compile(), {
    args: [
      `-e${errno}`,
      ...calls.map((name) => `-n${SYSCALLS[name]}`),
      Deno.execPath(),
      ...args,
    ],
    env: { NO_COLOR: "1", ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "null",
  });
  const { code, signal, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
