/**
 * Does something in a new folder of `parent`, and removes that at the end: also when a signal asks
 * to stop, as what is in it may be large.
 */
export async function inFolder<T>(
  parent: string,
  body: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({
    dir: parent,
    prefix: "uring-bench-",
  });
  const clean = () => Deno.removeSync(folder, { recursive: true });
  const signals = { SIGINT: 130, SIGTERM: 143 } as const;
  for (const [signal, status] of Object.entries(signals)) {
    Deno.addSignalListener(signal as Deno.Signal, () => {
      clean();
      Deno.exit(status);
    });
  }
  try {
    return await body(folder);
  } finally {
    clean();
  }
}
