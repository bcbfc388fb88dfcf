/** What memory there is. */

import { isSystemError, Memory } from "../../ffi/mod.ts";

/** Whether so many bytes can be mapped: a small machine refuses more than it has. */
export function canReserve(size: number): boolean {
  try {
    new Memory(size).close();
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
