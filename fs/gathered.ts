/**
 * Streams into files. A write costs about as much for a line as for 64 KiB, so that short chunks are
 * gathered, as Deno does; but only to the end of the event loop's turn: what was written is to be
 * seen by whoever reads the file, or the pipe, while the stream goes on.
 *
 * @module
 */

/** How many bytes are gathered at most: as many as Deno does. */
const ENOUGH = 64 * 1024;

/** Where the bytes go. */
export interface Target {
  /** Writes all of it. The memory is used again once that is done. */
  write(bytes: Uint8Array): Promise<void>;
  /** Nothing more will come: all is written, or it failed, or is not wanted. */
  end(): void;
}

/** A stream that gathers what is written to it. */
export class GatheredStream {
  /** The stream. */
  readonly stream: WritableStream<Uint8Array<ArrayBufferLike>>;
  readonly #target: Target;
  #fail: (error: unknown) => void = () => {};
  #buffer = new Uint8Array(0);
  #filled = 0;
  /** What was gathered is being written; nothing is gathered meanwhile. */
  #flushing: Promise<void> | undefined;
  #turn: ReturnType<typeof setImmediate> | undefined;

  /** A stream into a target. */
  constructor(target: Target) {
    this.#target = target;
    this.stream = new WritableStream({
      start: (controller) => {
        this.#fail = (error) => {
          controller.error(error);
          target.end();
        };
      },
      write: (chunk) => this.#write(bytesOf(chunk)),
      close: async () => {
        try {
          await this.#flush();
        } finally {
          target.end();
        }
      },
      abort: async () => {
        this.#filled = 0;
        // Nobody wants to know how that ends; but the target may not go before.
        await this.#flushing?.catch(() => {});
        target.end();
      },
    }, { highWaterMark: ENOUGH, size: (chunk) => chunk?.byteLength ?? 0 });
  }

  /** Begins to write what was gathered: the target is to be closed. */
  hurry(): void {
    this.#flush().catch(this.#fail);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      if (this.#flushing !== undefined) await this.#flushing;
      if (this.#filled + bytes.length > ENOUGH) await this.#flush();
      if (bytes.length < ENOUGH) this.#gather(bytes);
      else await this.#target.write(bytes);
    } catch (error) {
      this.#target.end();
      throw error;
    }
  }

  #gather(bytes: Uint8Array): void {
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(ENOUGH);
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
    this.#turn ??= setImmediate(() => this.hurry());
  }

  #flush(): Promise<void> {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    if (this.#filled === 0) return this.#flushing ?? Promise.resolve();
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    return this.#flushing = this.#target.write(bytes).finally(() => {
      this.#flushing = undefined;
    });
  }
}

/** Writes what a stream of bytes gives; the target lasts. */
export async function gather(
  data: ReadableStream<Uint8Array>,
  write: Target["write"],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { stream } = new GatheredStream({ write, end() {} });
  await data.pipeTo(stream, signal === undefined ? {} : { signal });
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) {
    return new Uint8Array(chunk);
  }
  throw new TypeError(
    "Expected ArrayBuffer or ArrayBufferView for write chunk",
  );
}
