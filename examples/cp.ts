/**
 * Copies files and trees, on a ring, as cp(1): `deno run -A examples/cp.ts [OPTION]... SOURCE... DEST`
 *
 * It behaves as coreutils' `cp`, with its options, messages and exit statuses, but for this:
 * a copy appears under its name when it is complete, and a file that was there before stays until
 * then. Many files are in flight at a time, and many blocks of each large one.
 *
 * @module
 */

import { Misuse } from "./cp/getopt.ts";
import { type Operands, readOperands } from "./cp/operands.ts";
import { Failure, readSettings, type Request } from "./cp/settings.ts";
import { commandLine } from "./names.ts";
import { print } from "./print.ts";

/** What a command line asks for. */
function understand(args: readonly string[]): [Request, Operands | null] {
  const request = readSettings(args);
  if (typeof request === "string") return [request, null];
  return [request, readOperands(request)];
}

/**
 * Copies files and trees, as cp(1), and gives the exit status: 0; 1 if something went wrong; 130
 * or 143 if SIGINT or SIGTERM ended it; 141, a shell's word for SIGPIPE, if nobody reads what
 * `-v` prints.
 *
 * A copy that fails or is interrupted leaves nothing under the name of the destination, or what
 * was there before.
 *
 * @param args the command line: `[OPTION]... SOURCE... DEST`; `--help` lists the options.
 * @example
 * ```ts
 * import { cp } from "@uring/uring/examples/cp";
 * import { assertEquals } from "@std/assert";
 * const folder = await Deno.makeTempDir();
 * assertEquals(await cp(["-r", "examples/cp", `${folder}/copy`]), 0);
 * assertEquals(
 *   await Deno.readTextFile(`${folder}/copy/usage.ts`),
 *   await Deno.readTextFile("examples/cp/usage.ts"),
 * );
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function cp(args: readonly string[]): Promise<number> {
  let request: Request;
  let operands: Operands | null;
  try {
    [request, operands] = understand(args);
  } catch (error) {
    if (!(error instanceof Misuse || error instanceof Failure)) throw error;
    console.error(`cp: ${error.message}`);
    if (error instanceof Misuse) {
      console.error("Try 'cp --help' for more information.");
    }
    return 1;
  }
  if (typeof request === "string" || operands === null) {
    // Whoever wants no help need not wait for it.
    const { HELP, VERSION } = await import("./cp/usage.ts");
    return print("cp", request === "help" ? HELP : VERSION);
  }
  const { run } = await import("./cp/run.ts");
  return await run(request, operands);
}

if (import.meta.main) Deno.exit(await cp(commandLine()));
