/** What rings this kernel can make. */

import { isSystemError } from "../../ffi/mod.ts";
import { Ring } from "../../ring/mod.ts";

/** Whether this kernel makes rings with these `IORING_SETUP_*`. */
export function canMake(flags: number): boolean {
  try {
    new Ring({ entries: 2, flags }).close();
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
