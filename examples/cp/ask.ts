/**
 * Questions to the user.
 *
 * @module
 */

import type { Statx } from "../../ffi/structs/statx.ts";
import { quote } from "../quote.ts";
import type { Session } from "./session.ts";

const W_OK = 0o2;

/** Asks whether a file may be overwritten. */
export function mayOverwrite(
  { transcript, settings }: Session,
  to: string,
  old: Statx,
): boolean {
  transcript.flush();
  transcript.write(`cp: ${question(to, old, settings.force)} `);
  return answer();
}

function question(to: string, old: Statx, force: boolean): string {
  const name = quote(to);
  if (old.isSymlink || writable(old)) return `overwrite ${name}?`;
  const mode = (old.mode & 0o7777).toString(8).padStart(4, "0");
  const shown = letters(old.mode);
  return force
    ? `replace ${name}, overriding mode ${mode} (${shown})?`
    : `unwritable ${name} (mode ${mode}, ${shown}); try anyway?`;
}

/** Whether the user may write to a file, as its permissions have it. */
function writable({ uid, gid, mode }: Statx): boolean {
  const user = Deno.uid();
  if (user === 0) return true;
  const shift = user === uid ? 6 : Deno.gid() === gid ? 3 : 0;
  return (mode >> shift & W_OK) !== 0;
}

/** Permissions as ls(1) shows them. */
function letters(mode: number): string {
  const bits = Array.from(
    "rwxrwxrwx",
    (letter, i) => mode & (0o400 >> i) ? letter : "-",
  );
  const special = (bit: number, at: number, letter: string) => {
    if ((mode & bit) === 0) return;
    bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  };
  special(0o4000, 2, "s");
  special(0o2000, 5, "s");
  special(0o1000, 8, "t");
  return bits.join("");
}

/** Whether the next line of standard input begins with a yes. */
function answer(): boolean {
  const byte = new Uint8Array(1);
  let first: string | undefined;
  while (Deno.stdin.readSync(byte) === 1) {
    const character = String.fromCharCode(byte[0] ?? 0);
    if (character === "\n") break;
    first ??= character;
  }
  return first === "y" || first === "Y";
}
