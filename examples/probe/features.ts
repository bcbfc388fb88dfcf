/**
 * `IORING_FEAT_*` by name, the kernels that brought them, and what is different without.
 *
 * @module
 */

import * as abi from "../../ffi/abi.ts";
import type { Ability } from "./report.ts";

const table = [
  ["SINGLE_MMAP", "5.4"],
  ["NODROP", "5.5"],
  ["SUBMIT_STABLE", "5.5"],
  ["RW_CUR_POS", "5.6"],
  ["CUR_PERSONALITY", "5.6"],
  ["FAST_POLL", "5.7"],
  ["POLL_32BITS", "5.9"],
  ["SQPOLL_NONFIXED", "5.11"],
  ["EXT_ARG", "5.11"],
  ["NATIVE_WORKERS", "5.12"],
  ["RSRC_TAGS", "5.13"],
  ["CQE_SKIP", "5.17"],
  ["LINKED_FILE", "5.18"],
  ["REG_REG_RING", "6.3"],
  ["RECVSEND_BUNDLE", "6.10"],
  ["MIN_TIMEOUT", "6.12"],
  ["RW_ATTR", "6.14"],
  ["NO_IOWAIT", "6.15"],
] as const;

/**
 * Which features a kernel has.
 *
 * @param features what a ring of it says: `ring.features`.
 */
export function featuresOf(features: number): Ability[] {
  return table.map(([name, since]) => {
    const value = abi[`IORING_FEAT_${name}`];
    return { name, value, since, here: (features & value) !== 0 };
  });
}
