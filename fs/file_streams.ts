/**
 * Open files as streams.
 *
 * @module
 */

import { writeZero } from "./failure.ts";
import { GatheredStream } from "./gathered.ts";

/** What streams need of a file. */
interface Source extends Disposable {
  read(p: Uint8Array): Promise<number | null>;
}

/** What streams need of a file. */
interface Sink extends Disposable {
  write(p: Uint8Array): Promise<number>;
}

/** Deno's own. */
const CHUNK = 64 * 1024;

/** The rest of a file, as bytes; the file is closed at its end, and when nobody wants the rest. */
export function readableOf(
  file: Source,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK,
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view;
      if (request === null || !(view instanceof Uint8Array)) {
        throw new TypeError("readable: the stream asks for no bytes.");
      }
      try {
        const count = await file.read(view);
        if (count === null) {
          file[Symbol.dispose]();
          controller.close();
        }
        request.respond(count ?? 0);
      } catch (error) {
        file[Symbol.dispose]();
        throw error;
      }
    },
    cancel() {
      file[Symbol.dispose]();
    },
  });
}

/** A stream into a file, which is closed with it. */
export function writableOf(file: Sink): GatheredStream {
  return new GatheredStream({
    write: (bytes) => writeAll(file, bytes),
    end: () => file[Symbol.dispose](),
  });
}

/** Writes all of it at a file's position. */
export async function writeAll(
  file: Pick<Sink, "write">,
  bytes: Uint8Array,
): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const count = await file.write(rest);
    if (count === 0) throw writeZero();
    rest = rest.subarray(count);
  }
}
