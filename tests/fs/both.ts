/**
 * Runs a program of several steps with `Deno`'s functions and with those of `fs`, and compares each
 * step: what it gave, or the class, the message and the code of its error.
 */

import { assert, assertEquals } from "@std/assert";
import { openKernel } from "../../ffi/backend.ts";
import { errnoName, isSystemError, UringError } from "../../ffi/mod.ts";
import { create, open } from "../../fs/open.ts";
import { readFile, readTextFile } from "../../fs/read_file.ts";
import { truncate } from "../../fs/truncate.ts";
import { writeFile, writeTextFile } from "../../fs/write_file.ts";
import { TemporaryDirectory } from "../support/files.ts";

export { openFiles } from "../support/sockets.ts";

// Loaded once for all tests: what stays open as long as the isolate is no test's leak.
openKernel();
errnoName(1);

/** The functions that are compared. */
export type Files = Pick<
  typeof Deno,
  | "create"
  | "open"
  | "readFile"
  | "readTextFile"
  | "truncate"
  | "writeFile"
  | "writeTextFile"
>;

/** Those of `fs`. That this type-checks says that the signatures are Deno's. */
export const ours: Files = {
  create,
  open,
  readFile,
  readTextFile,
  truncate,
  writeFile,
  writeTextFile,
};

/** How a step is compared. */
export interface StepOptions {
  /** Whether the errors' messages are to be the same. Default: true. */
  message?: boolean;
}

/** What a program is given. */
export interface Stage {
  /** The functions. */
  fs: Files;
  /** The path of a name in the program's folder. */
  path(name: string): string;
  /** Does a step; the program goes on, whatever comes of it. */
  step(
    name: string,
    action: () => unknown,
    options?: StepOptions,
  ): Promise<void>;
}

/** What came of a step. */
interface Step {
  name: string;
  value?: unknown;
  error?: { class: string; message?: string | undefined; code?: unknown };
}

/** The class of an error that a program can tell by `instanceof`: Deno has none for some errnos. */
function classOf(error: Error): string {
  const { name } = error.constructor;
  return error instanceof UringError ? "Error" : name;
}

function failureOf(
  error: unknown,
  { message = true }: StepOptions,
): Step["error"] {
  if (!(error instanceof Error)) {
    return { class: typeof error, message: String(error), code: undefined };
  }
  const code = "code" in error ? error.code : undefined;
  if (isSystemError(error)) {
    assertEquals(errnoName(error.errno), error.code);
    assert((error.stack ?? "").includes(error.message), error.stack);
  }
  return {
    class: classOf(error),
    message: message ? error.message : undefined,
    code,
  };
}

async function play(
  fs: Files,
  folder: string,
  program: (stage: Stage) => Promise<void>,
): Promise<Step[]> {
  Deno.mkdirSync(folder);
  const steps: Step[] = [];
  const stage: Stage = {
    fs,
    path: (name) => `${folder}/${name}`,
    step: async (name, action, options = {}) => {
      try {
        steps.push({ name, value: await action() });
      } catch (error) {
        const failure = failureOf(error, options);
        steps.push(failure === undefined ? { name } : { name, error: failure });
      }
    },
  };
  try {
    await program(stage);
  } finally {
    await removeFolder(folder);
  }
  return steps;
}

/** Removes a folder in which Deno's threads may still create a file, though it was called off. */
async function removeFolder(folder: string): Promise<void> {
  for (let patience = 1;; patience *= 2) {
    try {
      Deno.removeSync(folder, { recursive: true });
      return;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== "ENOTEMPTY" || patience > 1000) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, patience));
  }
}

/** Registers a test of a program that is to do the same with both. */
export function same(
  name: string,
  program: (stage: Stage) => Promise<void>,
  { ignore = false }: { ignore?: boolean } = {},
): void {
  Deno.test({
    name: `${name}: as Deno`,
    ignore,
    fn: async () => {
      using home = new TemporaryDirectory();
      const folder = home.join("folder");
      const expected = await play(Deno, folder, program);
      const actual = await play(ours, folder, program);
      assert(expected.length > 0);
      for (const [at, step] of expected.entries()) {
        const mine = actual[at];
        // Deno has no code for some errnos.
        if (step.error && mine?.error && step.error.code === undefined) {
          delete mine.error.code;
          delete step.error.code;
        }
        assertEquals(mine, step);
      }
      assertEquals(actual.length, expected.length);
    },
  });
}

/** The permissions of a file, without its kind. */
export function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
