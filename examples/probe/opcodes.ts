/**
 * Which opcodes this kernel has.
 *
 * @module
 */

import { opcodes } from "../../ops/opcodes.ts";
import { Ring } from "../../ring/mod.ts";
import type { Ability, Report } from "./report.ts";

/** Asks the kernel for each, and for those that nobody here knows. */
export function opcodesHere(): Pick<Report, "opcodes" | "unknownOpcodes"> {
  using ring = new Ring(2);
  const probe = ring.probe();
  const known: Ability[] = Object.values(opcodes).map((
    { name, code, since },
  ) => ({ name, value: code, since, here: probe.supports(code) }));
  const unknownOpcodes = Math.max(probe.lastOpcode + 1 - known.length, 0);
  return { opcodes: known, unknownOpcodes };
}
