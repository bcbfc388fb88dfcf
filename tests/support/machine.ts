/** What machine this is. */

/**
 * Whether the processor is emulated, as in QEMU without hardware virtualization: some ten times
 * slower, and one thread of it much slower than another. What is about time cannot be tested then.
 */
export const emulated: boolean = Deno.readTextFileSync("/proc/cpuinfo")
  .includes("QEMU TCG CPU");
