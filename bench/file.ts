const CHUNK = 1 << 20;

/**
 * A file of `bytes` (a multiple of 1 MiB) at `path` whose blocks are really on the disk: noise, because
 * some storage keeps no zeros, and synced, because delayed allocation leaves holes until then.
 */
export async function writeNoise(path: string, bytes: number): Promise<void> {
  const noise = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  using file = await Deno.open(path, { write: true, createNew: true });
  for (let written = 0; written < bytes;) {
    const chunk = noise.subarray(0, Math.min(CHUNK, bytes - written));
    written += await file.write(chunk);
  }
  await file.sync();
}

/** Reads the file through once, so that its pages are in the page cache. */
export async function warm(path: string): Promise<void> {
  using file = await Deno.open(path);
  const chunk = new Uint8Array(CHUNK);
  while (await file.read(chunk) !== null);
}
