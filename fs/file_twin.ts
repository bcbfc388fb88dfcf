/**
 * Deno's own opening of a file that is open already.
 *
 * @module
 */

import { AT_EMPTY_PATH } from "../ffi/linux.ts";
import { now } from "./now.ts";
import { mayReadAll } from "./permission.ts";
import { fileInfo } from "./stat.ts";
import type { FileParts } from "./transfer.ts";

/**
 * Opens a file a second time, by Deno, for what io_uring has no op for: the modes of terminals.
 * By way of the descriptor, or of the path if not everything is allowed: Deno wants all
 * permissions for /proc.
 *
 * @throws {Deno.errors.BadResource} if it is a pipe: to open one would wait for its other end.
 * @throws {Deno.errors.NotFound} if the path leads to another file by now.
 */
export function openTwin(parts: FileParts): Deno.FsFile {
  const { path, fd, read, write } = parts;
  const way = wayTo(parts);
  if (Deno.statSync(way).isFifo) {
    throw new Deno.errors.BadResource(
      `'${path}' is a pipe, which has no modes`,
    );
  }
  using stack = new DisposableStack();
  const twin = stack.use(Deno.openSync(way, { read, write }));
  const [one, other] = [
    now(fileInfo("", AT_EMPTY_PATH, fd)),
    twin.statSync(),
  ];
  if (one.dev !== other.dev || one.ino !== other.ino) {
    throw new Deno.errors.NotFound(
      `'${path}' leads to another file by now, and with --allow-all alone there is another way`,
    );
  }
  stack.move();
  return twin;
}

function wayTo({ path, fd }: FileParts): string {
  return mayReadAll() ? `/proc/self/fd/${fd}` : path;
}
