/**
 * What of the process's memory is mapped: /proc/self/maps.
 */

/** Whether there is memory at an address. */
export function isMapped(address: number): boolean {
  for (const line of mappings()) {
    const [start, end] = line.split(" ", 1)[0]?.split("-") ?? [];
    const low = Number.parseInt(start ?? "", 16);
    const high = Number.parseInt(end ?? "", 16);
    if (address >= low && address < high) return true;
  }
  return false;
}

/** How many mappings of rings there are: queues that were not unmapped. */
export function ringMappings(): number {
  return mappings().filter((line) => line.includes("[io_uring]")).length;
}

function mappings(): string[] {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").filter(Boolean);
}
