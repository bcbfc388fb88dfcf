import type { Command } from "./pin.ts";

/** How many operations were done, and in which time. */
export interface Sample {
  /** Operations completed. */
  readonly operations: number;
  /** The time they took. */
  readonly seconds: number;
}

/**
 * A contestant as a child process that lives through a whole case: it is set up once, then takes
 * `run SECONDS` lines and answers `done OPERATIONS SECONDS`, so that start-up and compilation are
 * not measured and changing turns costs microseconds. While it waits for a line it uses no CPU.
 */
export class Child implements AsyncDisposable {
  /** The process's id. */
  readonly pid: number;
  /** The ring's setup flags, as the child reports them. */
  readonly setupFlags: number;
  /** Which backend drives the ring. */
  readonly backend: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  private constructor(
    process: Deno.ChildProcess,
    lines: ReadableStreamDefaultReader<string>,
    setupFlags: number,
    backend: string,
  ) {
    this.pid = process.pid;
    this.setupFlags = setupFlags;
    this.backend = backend;
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#lines = lines;
  }

  /** Starts `command` and waits until it is set up. An `error` line becomes an Error. */
  static async start({ program, args }: Command): Promise<Child> {
    const process = new Deno.Command(program, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(splitLines())
      .getReader();
    try {
      const [flags, backend] = await answer(lines, "ready");
      return new Child(process, lines, Number(flags), String(backend));
    } catch (error) {
      await process.stdin.close().catch(() => {}); // it may have gone: that is the error
      await process.status;
      throw error;
    }
  }

  /** Runs the loop for about `seconds`. */
  async run(seconds: number): Promise<Sample> {
    await this.#input.write(new TextEncoder().encode(`run ${seconds}\n`));
    const [count, elapsed] = await answer(this.#lines, "done");
    return { operations: Number(count), seconds: Number(elapsed) };
  }

  /** Bytes that the process has fetched from storage so far, its kernel threads' included. */
  async bytesFromStorage(): Promise<number> {
    const counters = await Deno.readTextFile(`/proc/${this.pid}/io`);
    return Number(counters.match(/^read_bytes: (\d+)$/m)?.[1]);
  }

  /** Ends the child: it stops at the end of its input. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // a child that failed has closed its end
    await this.#process.status;
  }
}

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
  });
}

/** The words after `expected` in the next line; an Error if the child said something else. */
async function answer(
  lines: ReadableStreamDefaultReader<string>,
  expected: string,
): Promise<string[]> {
  const { value: line } = await lines.read();
  if (line === undefined) throw new Error("the contestant ended early");
  const [first, ...words] = line.split(" ");
  if (first === expected) return words;
  throw new Error(first === "error" ? words.join(" ") : line);
}
