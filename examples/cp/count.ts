/**
 * How much there is to copy.
 *
 * @module
 */

import { inmates, join } from "./folder.ts";
import { lookUp, type Session } from "./session.ts";
import { codeOf, Complaint } from "./trouble.ts";

/**
 * Counts the bytes of files and trees. What cannot be looked at counts nothing: the copy says so.
 *
 * @param add is told of each file; gives whether to go on.
 */
export async function count(
  session: Session,
  paths: readonly string[],
  add: (bytes: number) => boolean,
): Promise<void> {
  const { follow, recursive } = session.settings;
  const below = async (folder: string): Promise<boolean> => {
    for await (
      const { name, source } of inmates(session, folder, null, false)
    ) {
      if ("error" in source) continue;
      const deeper = source.isDirectory
        ? await below(join(folder, name))
        : add(source.isFile ? source.size : 0);
      if (!deeper) return false;
    }
    return true;
  };
  for (const path of paths) {
    try {
      const source = await lookUp(session, path, follow !== "never");
      const more = source.isDirectory && recursive
        ? await below(path)
        : add(source.isFile ? source.size : 0);
      if (!more) return;
    } catch (error) {
      if (!(error instanceof Complaint) && codeOf(error) === undefined) {
        throw error;
      }
    }
  }
}
