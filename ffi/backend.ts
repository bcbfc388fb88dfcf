/**
 * Which backend a ring gets.
 *
 * @module
 */

import { show } from "./check.ts";
import { systemError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { libc } from "./libc.ts";
import { LIBRARY, loadLibUring } from "./liburing.ts";
import { ELIBACC } from "./linux.ts";
import { loadSyscall } from "./syscall.ts";

/** A backend by name, or an implementation of {@linkcode Kernel} of one's own. */
export type Backend = "liburing" | "syscall" | Kernel;

const VARIABLE = "URING_LIBRARY";
/** Can not access a needed shared library. */

let liburing: Kernel | undefined;
let syscall: Kernel | undefined;
let preferred: Kernel | undefined;

/**
 * The backend by that name: one for each isolate, see libc.ts.
 *
 * With no name: liburing where it is installed (or where the environment variable
 * `URING_LIBRARY` says), else the system calls themselves.
 *
 * @throws {UringError} ELIBACC: liburing was asked for, by name or by variable, and cannot be
 * loaded.
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 */
export function openKernel(backend?: Backend): Kernel {
  switch (backend) {
    case undefined:
      return preferred ??= openPreferred();
    case "liburing":
      return openLibUring();
    case "syscall":
      return syscall ??= loadSyscall();
    default:
      if (typeof backend?.enter === "function") return backend;
      throw new TypeError(
        `Ring: backend must be "liburing", "syscall" or a Kernel; got ${
          show(backend)
        }.`,
      );
  }
}

function openPreferred(): Kernel {
  if (libraryPath() !== undefined) return openLibUring();
  try {
    return liburing ??= loadLibUring();
  } catch (error) {
    if (!isMissing(error)) throw error;
    // Not installed, or older than 2.3: the system calls need neither.
    return syscall ??= loadSyscall();
  }
}

function openLibUring(): Kernel {
  const path = libraryPath();
  try {
    return liburing ??= loadLibUring(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const where = path === undefined
      ? ""
      : `${VARIABLE} names ${path}: unset it, or correct it. `;
    const hint = `It is to be liburing 2.3 or later. ${where}Install that ` +
      '(apt-get install liburing2), or use { backend: "syscall" }, which needs nothing ' +
      "installed.";
    const options = { path: path ?? LIBRARY, hint, cause: error };
    throw systemError(ELIBACC, "dlopen", options);
  }
}

/** A library that could not be loaded, as against one that this program may not load. */
function isMissing(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof Deno.errors.NotCapable) &&
    !(error instanceof Deno.errors.PermissionDenied);
}

function libraryPath(): string | undefined {
  const permission = Deno.permissions.querySync({
    name: "env",
    variable: VARIABLE,
  });
  // Without the permission the variable is as good as unset: asking would interrupt everyone.
  if (permission.state !== "granted") return undefined;
  return Deno.env.get(VARIABLE) || undefined;
}

/**
 * Opens the libraries with this module where that asks nobody for a permission. They stay open
 * as long as the isolate: opened by the first ring, they would count as leaked by the test of a
 * program that happens to make it.
 */
function openEarly(): void {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
  try {
    libc();
    openKernel();
  } catch {
    // Whoever makes a ring is told, by the same error.
  }
}

openEarly();
