/** What rings this kernel can make. */

import { isSystemError } from "../../ffi/mod.ts";
import { Ring, type RingOptions } from "../../ring/mod.ts";

/**
 * Whether rings with these `IORING_SETUP_*` can be made here. Only what the kernel answers, and a
 * library that is missing, counts as "cannot": anything else is a bug and is thrown.
 */
export function canMake(flags: number, options: RingOptions = {}): boolean {
  try {
    new Ring({ entries: 2, ...options, flags }).close();
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
