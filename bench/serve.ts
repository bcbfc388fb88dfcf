/**
 * Answers the commands on standard input until it ends, as a contestant in an event loop.
 *
 * @param run runs for about so many seconds, and gives the line that answers.
 * @param ready the first line.
 */
export async function serve(
  run: (seconds: number) => Promise<string>,
  ready: string,
): Promise<void> {
  console.log(ready);
  let rest = "";
  for await (
    const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const command of lines) {
      const seconds = Number(command.match(/^run (\d+(?:\.\d+)?)$/)?.[1]);
      if (Number.isNaN(seconds)) throw new Error(`unknown command: ${command}`);
      console.log(await run(seconds));
    }
  }
}

/** Runs a contestant. What goes wrong is the line that answers: `error SENTENCE`. */
export async function contend(
  main: (args: string[]) => void | Promise<void>,
): Promise<void> {
  try {
    await main(Deno.args);
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    console.log(`error ${sentence.replaceAll("\n", " ")}`);
    Deno.exit(1);
  }
}
