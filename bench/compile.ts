import { fileURLToPath } from "node:url";

/** The compiled C contestant, or why there is none. */
export type Compiled = { readonly program: string } | { readonly why: string };

/**
 * Compiles `c/contestant.c` into `directory` with `$CC` or gcc. It needs liburing's header and
 * its `liburing.so` link, which Debian calls liburing-dev and Fedora liburing-devel.
 */
export async function compileContestant(directory: string): Promise<Compiled> {
  const compiler = Deno.env.get("CC") || "gcc";
  const source = new URL("./c/contestant.c", import.meta.url);
  const program = `${directory}/contestant`;
  try {
    const { success, stderr } = await new Deno.Command(compiler, {
      args: ["-O2", "-o", program, fileURLToPath(source), "-luring"],
      stdout: "null",
    }).output();
    if (success) return { program };
    const message = new TextDecoder().decode(stderr);
    const line = message.split("\n").find((text) => text.includes("rror"));
    return { why: `${compiler}: ${line ?? message.trim()}` };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { why: `${compiler} is not installed` };
  }
}
