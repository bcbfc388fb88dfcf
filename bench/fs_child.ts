/** How long a turn took, and what it used. */
export interface FsTurn {
  /** From begin to end, in milliseconds. */
  readonly milliseconds: number;
  /** CPU time of the process and its kernel threads, in milliseconds. */
  readonly cpu: number;
}

const OURS = new URL("./fs_contestant.ts", import.meta.url).pathname;
const NODE = new URL("./fs_node.mjs", import.meta.url).pathname;

/**
 * A contestant as a process that lives through a case: whatever it has to start and to compile is
 * not measured. It takes the path of a copy for each turn and answers `done MILLISECONDS CPU`.
 */
export class FsChild implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#output = process.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** Starts `"fs"`, `"Deno"`, or `"Node"`: Node itself, where it is installed, else Deno's. */
  static async start(
    who: string,
    job: string,
    from: string,
  ): Promise<FsChild> {
    const args = [who, job, from];
    const [command, program] = who === "Node"
      ? [await nodeCommand(), NODE]
      : [[Deno.execPath(), "run", "--no-check", "-A"], OURS];
    const [path = "", ...flags] = command;
    const child = new Deno.Command(path, {
      args: [...flags, program, ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    return new FsChild(child);
  }

  /** One turn; `to` is the copy that is made, or removed. */
  async run(to: string): Promise<FsTurn> {
    await this.#input.write(new TextEncoder().encode(`${to}\n`));
    const { value = "" } = await this.#output.read();
    const [, milliseconds, cpu] = value.match(/^done (\S+) (\S+)\n$/) ?? [];
    if (milliseconds === undefined) {
      throw new Error(`a contestant said: ${value || "nothing"}`);
    }
    return { milliseconds: Number(milliseconds), cpu: Number(cpu) };
  }

  /** Ends the child: it stops at the end of its input. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // one that failed has closed its end
    await this.#output.cancel();
    await this.#process.status;
  }
}

async function nodeCommand(): Promise<string[]> {
  try {
    await new Deno.Command("node", { args: ["--version"] }).output();
    return ["node"];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return [Deno.execPath(), "run", "--no-check", "-A"];
  }
}
